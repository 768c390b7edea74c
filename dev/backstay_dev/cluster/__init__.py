"""`make test-cluster`: a real Kubernetes of one node, with the chart in Pods and fresh hosts that join from the packages.

programs.py   what the node is built of, from pinned Go modules
images.py     the images that its Pods run, without a registry
node.py       the node: its own namespaces and control groups, a kubelet, containerd, a control plane
site.py       the node, hosts and BMCs on one network
story.py      what is tried on it, and what is measured
"""

//go:build tools

// Package tools names what a node is built of here, so that go.mod and go.sum pin it.
package tools

import (
	_ "k8s.io/component-base/version"
	_ "k8s.io/kubernetes/cmd/kube-controller-manager"
	_ "k8s.io/kubernetes/cmd/kube-proxy"
	_ "k8s.io/kubernetes/cmd/kube-scheduler"
	_ "k8s.io/kubernetes/cmd/kubelet"
)

// Command etcd is the etcd server that k8s.io/kubernetes asks for, built from the same module.
package main

import (
	"os"

	"go.etcd.io/etcd/server/v3/etcdmain"
)

func main() { etcdmain.Main(os.Args) }

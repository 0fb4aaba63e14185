// Command etcdserver is a member of an etcd, for tests that need one outside of the
// system. It has etcd's own timing and syncs to the disk, as in production.
package main

import (
	"flag"
	"fmt"
	"os"

	"github.com/fairlead-mesh/fairlead/test/etcdserver"
)

func main() {
	var o etcdserver.Options
	flag.StringVar(&o.Dir, "dir", "", "folder of the data")
	flag.StringVar(&o.Listen, "listen", "127.0.0.1:2379", "address for clients")
	flag.StringVar(&o.Certs, "certs", "", "folder with cert.pem, key.pem, and ca.pem, which clients' certificates must be of")
	flag.StringVar(&o.Name, "name", "", "name of this member, where there are others")
	flag.StringVar(&o.Peer, "peer", "", "address for the others")
	flag.StringVar(&o.Cluster, "cluster", "", "all members, as name=URL,name=URL; empty for one that is alone")
	flag.Parse()
	if err := etcdserver.Run(o); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

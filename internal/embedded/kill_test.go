package embedded

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
)

// childEnv makes the test binary a process that runs an etcd until it is
// killed. Its value is the Options as JSON.
const childEnv = "EMBEDDED_TEST_ETCD"

func TestMain(m *testing.M) {
	if options := os.Getenv(childEnv); options != "" {
		if err := runChild(options); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
	}
	os.Exit(m.Run())
}

// runChild prints the address and waits for the end.
func runChild(options string) error {
	var o Options
	if err := json.Unmarshal([]byte(options), &o); err != nil {
		return err
	}
	e, err := StartEtcd(context.Background(), o)
	if err != nil {
		return err
	}
	fmt.Println(e.Address())
	select {}
}

func TestKilledProcess(t *testing.T) {
	b := newBench(t)
	child := exec.Command(os.Args[0])
	options := b.options
	options.Logger = nil
	value, err := json.Marshal(options)
	check(t, err)
	child.Env = append(os.Environ(), childEnv+"="+string(value))
	out, err := child.StdoutPipe()
	check(t, err)
	check(t, child.Start())
	defer child.Process.Kill()

	lines := bufio.NewScanner(out)
	if !lines.Scan() {
		t.Fatal("the child printed nothing")
	}
	address := lines.Text()
	c, err := clientv3.New(clientv3.Config{
		Endpoints: []string{"https://" + address},
		TLS:       b.tls(),
		Logger:    zap.NewNop(),
	})
	check(t, err)
	defer c.Close()
	for i := range 100 {
		_, err := c.Put(timeout(t), fmt.Sprintf("key%d", i), "acknowledged")
		check(t, err)
	}
	check(t, child.Process.Kill())
	child.Wait()

	began := time.Now()
	e := b.start(t)
	t.Logf("answers %v after the kill", time.Since(began))
	if e.Address() != address {
		t.Errorf("address changed from %s to %s", address, e.Address())
	}
	for i := range 100 {
		if key := fmt.Sprintf("key%d", i); b.get(t, e, key) != "acknowledged" {
			t.Errorf("%s is lost", key)
		}
	}
	if b.log.Len() > 0 {
		t.Errorf("etcd was not quiet:\n%s", b.log)
	}
}

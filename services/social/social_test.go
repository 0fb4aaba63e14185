package social_test

import (
	"database/sql"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/descriptorpb"

	"github.com/fairlead-mesh/fairlead/pkg/idempotency"
	"github.com/fairlead-mesh/fairlead/pkg/store"
	"github.com/fairlead-mesh/fairlead/pkg/store/storetest"
	"github.com/fairlead-mesh/fairlead/services/social"
)

func TestReplicasShareADatabaseAndItsPages(t *testing.T) {
	storetest.Each(t, func(t *testing.T, url string) {
		keys := filepath.Join(t.TempDir(), "page.keys")
		first, second := startWith(t, url, keys), startWith(t, url, keys)
		posted := fill(t, first, "ada", 4)
		posts, token, err := lists(first)["timeline"](as(t, "ada"), "users/me", 2, "")
		if err != nil {
			t.Fatal(err)
		}
		more, _, err := lists(second)["timeline"](as(t, "ada"), "users/me", 2, token)
		if err != nil || !slices.Equal(textsOf(append(posts, more...)), posted) {
			t.Errorf("got %q %q %v", textsOf(posts), textsOf(more), err)
		}
	})
}

func TestOldIdempotencyKeysAreRemoved(t *testing.T) {
	storetest.Each(t, func(t *testing.T, url string) {
		db, err := store.Open(t.Context(), url, idempotency.Migrations)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := db.Close(); err != nil {
				t.Error(err)
			}
		})
		err = db.Tx(t.Context(), func(tx *sql.Tx) error {
			_, err := tx.ExecContext(t.Context(), `INSERT INTO idempotency_keys
				(principal, key, fingerprint, create_time) VALUES ('users/ada', 'old', $1, 1)`, []byte{1})
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		start(t, url)
		waitForNoKeys(t, db)
	})
}

func waitForNoKeys(t *testing.T, db *store.DB) {
	t.Helper()
	deadline := time.After(10 * time.Second)
	for tick := time.Tick(5 * time.Millisecond); ; {
		var n int
		err := db.Reader().QueryRowContext(t.Context(), "SELECT COUNT(*) FROM idempotency_keys").Scan(&n)
		if err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			return
		}
		select {
		case <-tick:
		case <-deadline:
			t.Fatal("the old key is still there")
		}
	}
}

func TestTheZeroConfigKeepsEverythingInOneFolder(t *testing.T) {
	t.Chdir(t.TempDir())
	service, err := social.New(t.Context(), social.Config{}, &identity{})
	if err != nil {
		t.Fatal(err)
	}
	if err := service.Close(); err != nil {
		t.Error(err)
	}
	for _, name := range []string{"social.db", "page.keys"} {
		info, err := os.Stat(filepath.Join(".fairlead", "social", name))
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: got %v %v", name, info, err)
		}
	}
}

func TestBadConfig(t *testing.T) {
	dir := t.TempDir()
	for _, cfg := range []social.Config{
		{Database: "mysql://h/db", PageKeys: filepath.Join(dir, "page.keys")},
		{Database: storetest.SQLite(t), PageKeys: dir},
	} {
		if _, err := social.New(t.Context(), cfg, &identity{}); err == nil {
			t.Errorf("%+v was accepted", cfg)
		}
	}
}

func TestAPIHasItsComments(t *testing.T) {
	var set descriptorpb.FileDescriptorSet
	if err := proto.Unmarshal(social.API, &set); err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(set.GetFile(), func(f *descriptorpb.FileDescriptorProto) bool {
		return f.GetName() == "fairlead/social/v1/social.proto"
	})
	if i < 0 || len(set.GetFile()[i].GetSourceCodeInfo().GetLocation()) == 0 {
		t.Error("the descriptor set has no social.proto with comments")
	}
}

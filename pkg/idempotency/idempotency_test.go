package idempotency_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/fairlead-mesh/fairlead/pkg/errs"
	"github.com/fairlead-mesh/fairlead/pkg/idempotency"
	"github.com/fairlead-mesh/fairlead/pkg/store"
	"github.com/fairlead-mesh/fairlead/pkg/store/storetest"
)

// each runs a test on every engine with a table in which a write leaves a row.
func each(t *testing.T, test func(t *testing.T, db *store.DB)) {
	writes := fstest.MapFS{"00001_writes.sql": {Data: []byte("-- +goose Up\nCREATE TABLE writes (what TEXT);")}}
	storetest.Each(t, func(t *testing.T, url string) { test(t, open(t, url, writes, idempotency.Migrations)) })
}

func open(t *testing.T, url string, migrations ...fs.FS) *store.DB {
	t.Helper()
	db, err := store.Open(t.Context(), url, migrations...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

func call(key string) idempotency.Call {
	return idempotency.Call{Principal: "users/a", Method: "/x.X/Write", Key: key}
}

// write stores what it is told and answers it.
func write(ctx context.Context, db *store.DB, call idempotency.Call, what string) (string, error) {
	response, err := idempotency.Do(ctx, db, call, wrapperspb.String(what),
		func(tx *sql.Tx) (*wrapperspb.StringValue, error) {
			_, err := tx.ExecContext(ctx, "INSERT INTO writes (what) VALUES ($1)", what)
			return wrapperspb.String("wrote " + what), err
		})
	return response.GetValue(), err
}

func mustWrite(t *testing.T, db *store.DB, call idempotency.Call, what string) {
	t.Helper()
	got, err := write(t.Context(), db, call, what)
	if err != nil || got != "wrote "+what {
		t.Errorf("got %q %v", got, err)
	}
}

func count(t *testing.T, db *store.DB, table string) int {
	t.Helper()
	var n int
	if err := db.Reader().QueryRowContext(t.Context(), "SELECT COUNT(*) FROM "+table).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func wantWrites(t *testing.T, db *store.DB, want int) {
	t.Helper()
	if got := count(t, db, "writes"); got != want {
		t.Errorf("got %d writes, want %d", got, want)
	}
}

func wantReason(t *testing.T, err error, want string) {
	t.Helper()
	if _, reason := errs.ReasonOf(err); reason != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestWithoutAKeyEveryCallWrites(t *testing.T) {
	each(t, func(t *testing.T, db *store.DB) {
		mustWrite(t, db, call(""), "a")
		mustWrite(t, db, call(""), "a")
		wantWrites(t, db, 2)
		if got := count(t, db, "idempotency_keys"); got != 0 {
			t.Errorf("got %d keys", got)
		}
	})
}

func TestARepeatedCallIsReplayed(t *testing.T) {
	each(t, func(t *testing.T, db *store.DB) {
		for range 3 {
			mustWrite(t, db, call("k"), "a")
		}
		wantWrites(t, db, 1)
	})
}

func TestAnEmptyAnswerIsReplayed(t *testing.T) {
	each(t, func(t *testing.T, db *store.DB) {
		runs := 0
		for range 2 {
			got, err := idempotency.Do(t.Context(), db, call("k"), &emptypb.Empty{},
				func(*sql.Tx) (*emptypb.Empty, error) { runs++; return &emptypb.Empty{}, nil })
			if err != nil || got == nil {
				t.Errorf("got %v %v", got, err)
			}
		}
		if runs != 1 {
			t.Errorf("ran %d times", runs)
		}
	})
}

func TestCallersDoNotShareKeys(t *testing.T) {
	each(t, func(t *testing.T, db *store.DB) {
		other := call("k")
		other.Principal = "users/b"
		mustWrite(t, db, call("k"), "a")
		mustWrite(t, db, other, "b")
		mustWrite(t, db, call("k2"), "c")
		wantWrites(t, db, 3)
	})
}

func TestAnotherRequestIsRefused(t *testing.T) {
	each(t, func(t *testing.T, db *store.DB) {
		other := call("k")
		other.Method = "/x.X/Delete"
		mustWrite(t, db, call("k"), "a")
		_, err := write(t.Context(), db, call("k"), "b")
		wantReason(t, err, "IDEMPOTENCY_KEY_REUSED")
		_, err = write(t.Context(), db, other, "a")
		wantReason(t, err, "IDEMPOTENCY_KEY_REUSED")
		mustWrite(t, db, call("k"), "a")
		wantWrites(t, db, 1)
	})
}

func TestAFailedCallStoresNothing(t *testing.T) {
	each(t, func(t *testing.T, db *store.DB) {
		broken := errors.New("broken")
		got, err := idempotency.Do(t.Context(), db, call("k"), wrapperspb.String("a"),
			func(tx *sql.Tx) (*wrapperspb.StringValue, error) {
				_, err := tx.ExecContext(t.Context(), "INSERT INTO writes (what) VALUES ('a')")
				return wrapperspb.String("half"), errors.Join(err, broken)
			})
		if !errors.Is(err, broken) || got != nil {
			t.Errorf("got %v %v", got, err)
		}
		wantWrites(t, db, 0)
		mustWrite(t, db, call("k"), "a")
		wantWrites(t, db, 1)
	})
}

func TestKeyWithoutPrincipalIsRefused(t *testing.T) {
	each(t, func(t *testing.T, db *store.DB) {
		if _, err := write(t.Context(), db, idempotency.Call{Key: "k"}, "a"); err == nil {
			t.Error("all callers would share the key")
		}
	})
}

func TestManyAtOnceWriteOnce(t *testing.T) {
	each(t, func(t *testing.T, db *store.DB) {
		var group sync.WaitGroup
		for range 20 {
			group.Go(func() { mustWrite(t, db, call("k"), "a") })
		}
		group.Wait()
		wantWrites(t, db, 1)
	})
}

func TestManyKeysAtOnceAllWrite(t *testing.T) {
	each(t, func(t *testing.T, db *store.DB) {
		var group sync.WaitGroup
		for n := range 20 {
			group.Go(func() { mustWrite(t, db, call(fmt.Sprint("k", n)), "a") })
		}
		group.Wait()
		wantWrites(t, db, 20)
	})
}

// The second call waits while the first runs, and is told when it has waited for
// long enough; the first is not disturbed.
func TestWaitingEndsWithTheDeadline(t *testing.T) {
	each(t, func(t *testing.T, db *store.DB) {
		_, err := idempotency.Do(t.Context(), db, call("k"), wrapperspb.String("a"),
			func(tx *sql.Tx) (*wrapperspb.StringValue, error) {
				ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
				defer cancel()
				if _, err := write(ctx, db, call("k"), "a"); !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("second: got %v", err)
				}
				_, err := tx.ExecContext(t.Context(), "INSERT INTO writes (what) VALUES ('a')")
				return wrapperspb.String("wrote a"), err
			})
		if err != nil {
			t.Error(err)
		}
		mustWrite(t, db, call("k"), "a")
		wantWrites(t, db, 1)
	})
}

// PostgreSQL tells whose lock was not free in time. SQLite, where everybody waits
// for the one writer, cannot blame the key.
func TestAKeyThatStaysInUse(t *testing.T) {
	storetest.Each(t, func(t *testing.T, url string) {
		if !strings.HasPrefix(url, "postgres") {
			return
		}
		db := open(t, url+"&lock_timeout=20", idempotency.Migrations)
		_, err := idempotency.Do(t.Context(), db, call("k"), &emptypb.Empty{},
			func(*sql.Tx) (*emptypb.Empty, error) {
				_, err := write(t.Context(), db, call("k"), "a")
				wantReason(t, err, "IDEMPOTENCY_KEY_IN_USE")
				return &emptypb.Empty{}, nil
			})
		if err != nil {
			t.Error(err)
		}
	})
}

func TestExpire(t *testing.T) {
	each(t, func(t *testing.T, db *store.DB) {
		const many = 1203 // more than two batches
		addKeys(t, db, many)
		mustWrite(t, db, call("young"), "a")
		for _, want := range []int64{many, 0} {
			got, err := idempotency.Expire(t.Context(), db, time.Now())
			if err != nil || got != want {
				t.Errorf("got %d %v, want %d", got, err, want)
			}
		}
		mustWrite(t, db, call("young"), "a")
		wantWrites(t, db, 1)
		if got, err := idempotency.Expire(t.Context(), db, time.Now().Add(idempotency.Retention)); got != 1 || err != nil {
			t.Errorf("got %d %v", got, err)
		}
	})
}

func addKeys(t *testing.T, db *store.DB, n int) {
	t.Helper()
	old := time.Now().Add(-idempotency.Retention).UnixMicro() - 1
	err := db.Tx(t.Context(), func(tx *sql.Tx) error {
		for i := range n {
			_, err := tx.ExecContext(t.Context(),
				"INSERT INTO idempotency_keys (principal, key, fingerprint, create_time) VALUES ($1, $2, $3, $4)",
				"users/a", fmt.Sprint("old", i), []byte{1}, old)
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestKeyFrom(t *testing.T) {
	if key, err := idempotency.KeyFrom(t.Context()); key != "" || err != nil {
		t.Errorf("no metadata: got %q %v", key, err)
	}
	for _, good := range []string{"a", " ~", `"8e03978e-40d5-43e8-bc93-6894a57f9324"`, strings.Repeat("k", 255)} {
		if key, err := keyFrom(t, good); key != good || err != nil {
			t.Errorf("%q: got %q %v", good, key, err)
		}
	}
	for _, bad := range [][]string{{""}, {strings.Repeat("k", 256)}, {"a\n"}, {"\x7f"}, {"é"}, {"\xff"}, {"a", "b"}, {"a", "a"}} {
		_, err := keyFrom(t, bad...)
		wantReason(t, err, "IDEMPOTENCY_KEY_INVALID")
	}
}

func keyFrom(t *testing.T, values ...string) (string, error) {
	return idempotency.KeyFrom(metadata.NewIncomingContext(t.Context(), metadata.MD{idempotency.MetadataKey: values}))
}

func TestTheSameContentIsTheSameRequest(t *testing.T) {
	each(t, func(t *testing.T, db *store.DB) {
		mustWrite(t, db, call("k"), "a")
		again := &wrapperspb.StringValue{}
		// The field twice: the last one counts.
		if err := proto.Unmarshal([]byte("\x0a\x01b\x0a\x01a"), again); err != nil {
			t.Fatal(err)
		}
		got, err := idempotency.Do(t.Context(), db, call("k"), again,
			func(*sql.Tx) (*wrapperspb.StringValue, error) { return nil, errors.New("ran again") })
		if err != nil || got.GetValue() != "wrote a" {
			t.Errorf("got %v %v", got, err)
		}
	})
}

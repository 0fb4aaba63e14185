package identity_test

import (
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/descriptorpb"

	identityv1 "github.com/fairlead-mesh/fairlead/proto/gen/go/fairlead/identity/v1"
	principalv1 "github.com/fairlead-mesh/fairlead/proto/gen/go/fairlead/principal/v1"
	"github.com/fairlead-mesh/fairlead/services/identity"
)

const secret = "an install secret of an app"

func TestEmptySignInMakesAnAccount(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		a, b := w.signIn(t, ""), w.signIn(t, "")
		if a.GetUser().GetName() == b.GetUser().GetName() {
			t.Error("two people share an account")
		}
		id, err := uuid.Parse(strings.TrimPrefix(a.GetUser().GetName(), "users/"))
		if err != nil || id.Version() != 7 {
			t.Errorf("name = %s, %v", a.GetUser().GetName(), err)
		}
	})
}

func TestInstallSecretGivesTheAccountBack(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		a, b, other := w.signIn(t, secret), w.signIn(t, secret), w.signIn(t, secret+".")
		if !proto.Equal(a.GetUser(), b.GetUser()) {
			t.Errorf("%v, then %v", a.GetUser(), b.GetUser())
		}
		if a.GetUser().GetName() == other.GetUser().GetName() {
			t.Error("another secret gives the same account")
		}
		if a.GetRefreshToken() == b.GetRefreshToken() {
			t.Error("two sign-ins share a session")
		}
	})
}

func TestConcurrentFirstSignInsMakeOneAccount(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		var wg sync.WaitGroup
		names := make([]string, 16)
		for i := range names {
			wg.Go(func() {
				in, err := w.SignInAnonymous(t.Context(), &identityv1.SignInAnonymousRequest{InstallSecret: []byte(secret)})
				if err != nil {
					t.Error(err)
				}
				names[i] = in.GetUser().GetName()
			})
		}
		wg.Wait()
		for _, name := range names {
			if name != names[0] || name == "" {
				t.Errorf("accounts %q", names)
			}
		}
	})
}

func TestShortInstallSecretIsRefused(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		_, err := w.SignInAnonymous(t.Context(), &identityv1.SignInAnonymousRequest{InstallSecret: make([]byte, 15)})
		failed(t, err, "fairlead.errors.v1", "INVALID_FIELD")
	})
}

func TestGetUser(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		a, b := w.signIn(t, ""), w.signIn(t, "")
		ctx := w.bearer(t, a.GetAccessToken())
		for _, name := range []string{"users/me", a.GetUser().GetName()} {
			got, err := w.GetUser(ctx, &identityv1.GetUserRequest{Name: name})
			if err != nil || !proto.Equal(got.GetUser(), a.GetUser()) {
				t.Errorf("%s: got %v, %v; want %v", name, got.GetUser(), err, a.GetUser())
			}
		}
		for _, name := range []string{b.GetUser().GetName(), "users/nobody"} {
			_, err := w.GetUser(ctx, &identityv1.GetUserRequest{Name: name})
			failed(t, err, "fairlead.identity.v1", "USER_NOT_FOUND")
		}
		gone := &principalv1.Principal{Name: "users/gone", Kind: principalv1.Principal_KIND_USER}
		_, err := w.GetUser(w.as(t, gone), &identityv1.GetUserRequest{Name: "users/me"})
		failed(t, err, "fairlead.identity.v1", "USER_NOT_FOUND")
	})
}

func TestUserMethodsAskForAUser(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		nobody := t.Context()
		service := w.as(t, &principalv1.Principal{Name: "services/social", Kind: principalv1.Principal_KIND_SERVICE})
		_, err := w.GetUser(nobody, &identityv1.GetUserRequest{Name: "users/me"})
		failed(t, err, "fairlead.errors.v1", "TOKEN_MISSING")
		_, err = w.SignOut(nobody, &identityv1.SignOutRequest{})
		failed(t, err, "fairlead.errors.v1", "TOKEN_MISSING")
		_, err = w.GetUser(service, &identityv1.GetUserRequest{Name: "users/me"})
		failed(t, err, "fairlead.errors.v1", "PERMISSION_DENIED")
	})
}

func TestLookupUsers(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		a, b := w.signIn(t, "").GetUser(), w.signIn(t, "").GetUser()
		got, err := w.LookupUsers(t.Context(), &identityv1.LookupUsersRequest{
			Names: []string{b.GetName(), "users/nobody", a.GetName(), "users/me", b.GetName()},
		})
		want := &identityv1.LookupUsersResponse{Users: []*identityv1.User{b, a}}
		if err != nil || !proto.Equal(got, want) {
			t.Errorf("got %v, %v; want %v", got, err, want)
		}
		got, err = w.LookupUsers(t.Context(), &identityv1.LookupUsersRequest{Names: []string{"users/nobody"}})
		if err != nil || len(got.GetUsers()) > 0 {
			t.Errorf("got %v, %v", got, err)
		}
	})
}

func TestRestartKeepsKeysAndSessions(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		stop := w.start(t) // beside the first, which stays
		in := w.signIn(t, secret)
		stop()
		w.start(t)
		w.verify(t, in.GetAccessToken())
		w.refresh(t, in.GetRefreshToken())
	})
}

func TestAPIDescribesTheService(t *testing.T) {
	var set descriptorpb.FileDescriptorSet
	if err := proto.Unmarshal(identity.API, &set); err != nil {
		t.Fatal(err)
	}
	for _, file := range set.GetFile() {
		if file.GetPackage() == "fairlead.identity.v1" && len(file.GetService()) == 1 {
			return
		}
	}
	t.Error("fairlead.identity.v1 is not in it")
}

func TestZeroConfigWorks(t *testing.T) {
	t.Chdir(t.TempDir())
	service, err := identity.New(t.Context(), identity.Config{})
	if err != nil {
		t.Fatal(err)
	}
	if err := service.Close(); err != nil {
		t.Error(err)
	}
}

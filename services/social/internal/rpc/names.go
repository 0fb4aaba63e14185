package rpc

import (
	"context"
	"strings"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/fairlead-mesh/fairlead/pkg/errs"
	"github.com/fairlead-mesh/fairlead/pkg/principal"
	errorsv1 "github.com/fairlead-mesh/fairlead/proto/gen/go/fairlead/errors/v1"
	socialv1 "github.com/fairlead-mesh/fairlead/proto/gen/go/fairlead/social/v1"
	"github.com/fairlead-mesh/fairlead/services/social/internal/core"
)

// Resource names are a collection and an id. core knows only ids.
const (
	users   = "users/"
	posts   = "posts/"
	follows = "/follows/"

	// self stands for the id of the caller.
	self = "me"
)

// caller is the user who calls.
type caller struct{ id string }

// callerOf returns the user who calls; services have neither posts nor timelines.
func callerOf(ctx context.Context) (caller, error) {
	p, ok := principal.FromContext(ctx)
	if !ok {
		return caller{}, errs.Unauthenticated(errorsv1.Reason_REASON_TOKEN_MISSING, "sign in first")
	}
	id, isUser := strings.CutPrefix(p.GetName(), users)
	if !isUser || id == "" {
		return caller{}, errs.Denied(errorsv1.Reason_REASON_PERMISSION_DENIED, "only users may do this")
	}
	return caller{id}, nil
}

func (c caller) name() string { return userName(c.id) }

// user returns the id in a user's name.
func (c caller) user(name string) string { return c.resolve(strings.TrimPrefix(name, users)) }

// follow returns the two ids in the name of a follow.
func (c caller) follow(name string) (follower, followee string) {
	follower, followee, _ = strings.Cut(name, follows)
	return c.user(follower), c.resolve(followee)
}

func (c caller) resolve(id string) string {
	if id == self {
		return c.id
	}
	return id
}

func userName(id string) string { return users + id }

func postID(name string) string { return strings.TrimPrefix(name, posts) }

func toPost(post core.Post) *socialv1.Post {
	return &socialv1.Post{
		Name:       posts + post.ID,
		Author:     userName(post.Author),
		Text:       post.Text,
		CreateTime: timestamppb.New(post.CreateTime),
	}
}

func toPosts(list []core.Post) []*socialv1.Post {
	converted := make([]*socialv1.Post, len(list))
	for i, post := range list {
		converted[i] = toPost(post)
	}
	return converted
}

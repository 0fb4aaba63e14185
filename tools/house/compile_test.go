package main

import (
	"testing"

	"github.com/bufbuild/protocompile"
	"golang.org/x/tools/txtar"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
)

// compile returns the descriptor image of one proto of the archive. Imports
// come from the archive too, else from what this program links: so an archive
// can hold a newer policy than this build knows.
func compile(t *testing.T, archive *txtar.Archive, name string) []byte {
	t.Helper()
	sources := make(map[string]string)
	for _, f := range archive.Files {
		sources[f.Name] = string(f.Data)
	}
	compiler := protocompile.Compiler{
		SourceInfoMode: protocompile.SourceInfoStandard,
		Resolver: protocompile.CompositeResolver{
			&protocompile.SourceResolver{Accessor: protocompile.SourceAccessorFromMap(sources)},
			protocompile.ResolverFunc(linked),
		},
	}
	files, err := compiler.Compile(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	set := new(descriptorpb.FileDescriptorSet)
	addFile(set, files[0], make(map[string]bool))
	image, err := proto.Marshal(set)
	if err != nil {
		t.Fatal(err)
	}
	return image
}

func linked(name string) (protocompile.SearchResult, error) {
	fd, err := protoregistry.GlobalFiles.FindFileByPath(name)
	return protocompile.SearchResult{Desc: fd}, err
}

// addFile adds the file after all that it imports.
func addFile(set *descriptorpb.FileDescriptorSet, fd protoreflect.FileDescriptor, done map[string]bool) {
	if done[fd.Path()] {
		return
	}
	done[fd.Path()] = true
	for i := range fd.Imports().Len() {
		addFile(set, fd.Imports().Get(i), done)
	}
	set.File = append(set.File, protodesc.ToFileDescriptorProto(fd))
}

package main

import (
	"bytes"
	"testing"

	"github.com/bufbuild/protocompile"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/types/descriptorpb"
)

const note = `
	name: "notes/note.proto"
	package: "notes"
	syntax: "proto3"
	dependency: "google/protobuf/timestamp.proto"
	message_type: {
		name: "Note"
		field: {
			name: "text" json_name: "text" number: 1
			type: TYPE_STRING label: LABEL_OPTIONAL
		}
		field: {
			name: "create_time" json_name: "createTime" number: 2
			type: TYPE_MESSAGE label: LABEL_OPTIONAL type_name: ".google.protobuf.Timestamp"
		}
	}`

func TestWhatIsPrintedCompilesToTheSameDescriptor(t *testing.T) {
	want := new(descriptorpb.FileDescriptorProto)
	if err := prototext.Unmarshal([]byte(note), want); err != nil {
		t.Fatal(err)
	}
	in, err := proto.Marshal(&descriptorpb.FileDescriptorSet{File: []*descriptorpb.FileDescriptorProto{want}})
	if err != nil {
		t.Fatal(err)
	}
	out := t.TempDir()
	if err := run(bytes.NewReader(in), out); err != nil {
		t.Fatal(err)
	}
	compiler := protocompile.Compiler{
		Resolver: protocompile.WithStandardImports(&protocompile.SourceResolver{ImportPaths: []string{out}}),
	}
	files, err := compiler.Compile(t.Context(), "notes/note.proto")
	if err != nil {
		t.Fatal(err)
	}
	if got := protodesc.ToFileDescriptorProto(files[0]); !proto.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestWhatIsNoDescriptorSetIsRefused(t *testing.T) {
	if err := run(bytes.NewReader([]byte("no set")), t.TempDir()); err == nil {
		t.Error("no error")
	}
}

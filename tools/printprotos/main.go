// Command printprotos reads a serialized FileDescriptorSet from standard input
// and prints each of its files as a .proto below the folder that its argument
// names. The set may leave out the well-known types.
package main

import (
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"

	"github.com/jhump/protoreflect/v2/protoprint"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"

	_ "google.golang.org/protobuf/types/gofeaturespb"
	_ "google.golang.org/protobuf/types/known/anypb"
	_ "google.golang.org/protobuf/types/known/durationpb"
	_ "google.golang.org/protobuf/types/known/fieldmaskpb"
	_ "google.golang.org/protobuf/types/known/structpb"
	_ "google.golang.org/protobuf/types/known/timestamppb"
	_ "google.golang.org/protobuf/types/known/wrapperspb"
)

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: printprotos FOLDER <descriptors.binpb")
	}
	if err := run(os.Stdin, os.Args[1]); err != nil {
		log.Fatal(err)
	}
}

func run(in io.Reader, out string) error {
	files, err := read(in)
	if err != nil {
		return err
	}
	files.RangeFiles(func(fd protoreflect.FileDescriptor) bool {
		if _, known := protoregistry.GlobalFiles.FindFileByPath(fd.Path()); known == nil {
			return true // a well-known type: buf has its own
		}
		err = printFile(fd, filepath.Join(out, filepath.FromSlash(fd.Path())))
		return err == nil
	})
	return err
}

// read adds the well-known types to the set, so that it can be resolved.
func read(in io.Reader) (*protoregistry.Files, error) {
	raw, err := io.ReadAll(in)
	if err != nil {
		return nil, err
	}
	set := new(descriptorpb.FileDescriptorSet)
	if err := proto.Unmarshal(raw, set); err != nil {
		return nil, err
	}
	protoregistry.GlobalFiles.RangeFiles(func(fd protoreflect.FileDescriptor) bool {
		set.File = append(set.File, protodesc.ToFileDescriptorProto(fd))
		return true
	})
	return protodesc.NewFiles(set)
}

func printFile(fd protoreflect.FileDescriptor, path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	p := protoprint.Printer{Compact: true}
	if err := p.PrintProtoFile(fd, f); err != nil {
		return fmt.Errorf("%s: %w", fd.Path(), err)
	}
	return f.Close()
}

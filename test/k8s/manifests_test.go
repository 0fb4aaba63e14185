package k8s_test

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer/json"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

// root is the repository, seen from the folder in which these tests run.
const root = "../.."

// rendered are the folders that can be applied.
var rendered = []string{"k8s/base", "k8s/overlays/dev", "k8s/overlays/prod"}

// strict refuses fields and kinds that Kubernetes does not know, and fields that
// are there twice.
var strict = newStrict()

func newStrict() *json.Serializer {
	known := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		appsv1.AddToScheme, autoscalingv2.AddToScheme, corev1.AddToScheme, networkingv1.AddToScheme, policyv1.AddToScheme,
	} {
		if err := add(known); err != nil {
			panic(err)
		}
	}
	return json.NewSerializerWithOptions(json.DefaultMetaFactory, known, known, json.SerializerOptions{Yaml: true, Strict: true})
}

func decode(text []byte) (runtime.Object, error) {
	object, _, err := strict.Decode(text, nil, nil)
	return object, err
}

// manifests is what one folder renders to.
type manifests []runtime.Object

func render(t *testing.T, folder string) manifests {
	t.Helper()
	return renderAt(t, filepath.Join(root, folder))
}

func renderAt(t *testing.T, path string) manifests {
	t.Helper()
	resources, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), path)
	if err != nil {
		t.Fatal(err)
	}
	var all manifests
	for _, r := range resources.Resources() {
		object, err := decode([]byte(r.MustYaml()))
		if err != nil {
			t.Fatalf("%s: %v", r.CurId(), err)
		}
		all = append(all, object)
	}
	return all
}

// each runs a test for every folder that can be applied.
func each(t *testing.T, test func(*testing.T, manifests)) {
	for _, folder := range rendered {
		t.Run(filepath.Base(folder), func(t *testing.T) { test(t, render(t, folder)) })
	}
}

// of returns the objects of one type.
func of[T runtime.Object](all manifests) []T {
	var some []T
	for _, object := range all {
		if o, ok := object.(T); ok {
			some = append(some, o)
		}
	}
	return some
}

// named returns the object of that type and name, or nil.
func named[T interface {
	runtime.Object
	metav1.Object
}](all manifests, name string) T {
	var none T
	for _, o := range of[T](all) {
		if o.GetName() == name {
			return o
		}
	}
	return none
}

// workload is what makes pods: a Deployment or a StatefulSet.
type workload struct {
	kind, name string
	selector   *metav1.LabelSelector
	pod        corev1.PodTemplateSpec
}

func (w workload) String() string { return w.kind + " " + w.name }

func workloads(all manifests) []workload {
	var some []workload
	for _, d := range of[*appsv1.Deployment](all) {
		some = append(some, workload{"Deployment", d.Name, d.Spec.Selector, d.Spec.Template})
	}
	for _, s := range of[*appsv1.StatefulSet](all) {
		some = append(some, workload{"StatefulSet", s.Name, s.Spec.Selector, s.Spec.Template})
	}
	return some
}

// parts are the workloads that run our own programs.
func parts(all manifests) []workload {
	return slices.DeleteFunc(workloads(all), func(w workload) bool { return w.name == "etcd" })
}

// container is the only one of a workload.
func (w workload) container() corev1.Container { return w.pod.Spec.Containers[0] }

// settings are the variables that the container has, with the text of those that
// only the cluster knows left empty.
func (w workload) settings(all manifests) (map[string]string, error) {
	values := make(map[string]string)
	for _, from := range w.container().EnvFrom {
		if from.ConfigMapRef == nil {
			return nil, fmt.Errorf("%s: an environment from something else than a ConfigMap", w)
		}
		source := named[*corev1.ConfigMap](all, from.ConfigMapRef.Name)
		if source == nil {
			return nil, fmt.Errorf("%s: no ConfigMap %s", w, from.ConfigMapRef.Name)
		}
		for name, value := range source.Data {
			values[name] = value
		}
	}
	for _, v := range w.container().Env {
		values[v.Name] = v.Value
	}
	return values, nil
}

func TestManifestsDecodeStrictly(t *testing.T) {
	each(t, func(t *testing.T, all manifests) {
		for _, name := range []string{"edge", "identity", "social", "etcd"} {
			if !slices.ContainsFunc(workloads(all), func(w workload) bool { return w.name == name }) {
				t.Errorf("no workload %s", name)
			}
		}
	})
}

// instruction tells kustomize what to do with a list. It is no field of anything.
var instruction = regexp.MustCompile(`(?m)^ *- \$patch: replace\n`)

// What kustomize reads it writes anew, so that a field which is there twice, or
// misspelled in a patch, could get lost on the way.
func TestSourcesDecodeStrictly(t *testing.T) {
	err := filepath.WalkDir(filepath.Join(root, "k8s"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".yaml" {
			return err
		}
		if name := d.Name(); name == "kustomization.yaml" || name == "grants.yaml" {
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for i, document := range bytes.Split(text, []byte("\n---\n")) {
			if _, err := decode(instruction.ReplaceAll(document, nil)); err != nil {
				t.Errorf("%s, document %d: %v", path, i+1, err)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestStrictMeansStrict(t *testing.T) {
	const good = "apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {clusterIP: None}\n"
	if _, err := decode([]byte(good)); err != nil {
		t.Fatal(err)
	}
	for what, bad := range map[string]string{
		"an unknown field": strings.ReplaceAll(good, "clusterIP", "clusterIp"),
		"a field twice":    good + "spec: {clusterIP: None}\n",
		"an unknown kind":  strings.ReplaceAll(good, "Service", "Servlet"),
		"a removed kind":   "apiVersion: policy/v1beta1\nkind: PodSecurityPolicy\nmetadata: {name: a}\n",
		"a wrong type":     strings.ReplaceAll(good, "None", "[None]"),
	} {
		if _, err := decode([]byte(bad)); err == nil {
			t.Errorf("%s is accepted", what)
		}
	}
}

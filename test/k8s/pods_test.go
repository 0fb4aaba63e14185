package k8s_test

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"go.etcd.io/etcd/api/v3/version"
)

// What Kubernetes calls the level "restricted", and a little more.
func TestPodsCanDoLittle(t *testing.T) {
	yes := func(b *bool) bool { return b != nil && *b }
	no := func(b *bool) bool { return b != nil && !*b }
	each(t, func(t *testing.T, all manifests) {
		for _, w := range workloads(all) {
			pod, c := w.pod.Spec, w.container()
			if len(pod.Containers) != 1 || len(pod.InitContainers) != 0 {
				t.Errorf("%s has other containers, which these tests do not look at", w)
			}
			if s := pod.SecurityContext; s == nil || !yes(s.RunAsNonRoot) || s.RunAsUser == nil || *s.RunAsUser == 0 ||
				s.FSGroup == nil || s.SeccompProfile == nil || s.SeccompProfile.Type != corev1.SeccompProfileTypeRuntimeDefault {
				t.Errorf("%s: pod security context %+v", w, s)
			}
			if s := c.SecurityContext; s == nil || !no(s.AllowPrivilegeEscalation) || !yes(s.ReadOnlyRootFilesystem) ||
				s.Capabilities == nil || len(s.Capabilities.Drop) != 1 || s.Capabilities.Drop[0] != "ALL" || len(s.Capabilities.Add) != 0 {
				t.Errorf("%s: container security context %+v", w, s)
			}
			if !no(pod.AutomountServiceAccountToken) || !no(pod.EnableServiceLinks) || pod.HostNetwork || pod.HostPID || pod.HostIPC {
				t.Errorf("%s has a token, service links or the host's namespaces", w)
			}
		}
	})
}

func TestPodsSayWhatTheyNeed(t *testing.T) {
	each(t, func(t *testing.T, all manifests) {
		for _, w := range workloads(all) {
			r := w.container().Resources
			for _, q := range []*resource.Quantity{r.Requests.Cpu(), r.Requests.Memory(), r.Limits.Cpu(), r.Limits.Memory()} {
				if q.IsZero() {
					t.Errorf("%s: requests %v, limits %v", w, r.Requests, r.Limits)
				}
			}
			if len(w.pod.Spec.TopologySpreadConstraints) == 0 {
				t.Errorf("%s may be all on one node", w)
			}
		}
	})
}

// drain is how long a part lets calls finish.
const drain = 15 * time.Second

func TestPodsHaveTimeToDrain(t *testing.T) {
	each(t, func(t *testing.T, all manifests) {
		for _, w := range parts(all) {
			needs := drain
			if l := w.container().Lifecycle; l != nil {
				needs += time.Duration(l.PreStop.Sleep.Seconds) * time.Second
			}
			if given := time.Duration(*w.pod.Spec.TerminationGracePeriodSeconds) * time.Second; given < needs+5*time.Second {
				t.Errorf("%s is killed after %v and needs %v", w, given, needs)
			}
		}
	})
}

func TestImagesHaveVersions(t *testing.T) {
	each(t, func(t *testing.T, all manifests) {
		for _, w := range workloads(all) {
			image := w.container().Image
			_, tag, ok := strings.Cut(image[strings.LastIndex(image, "/")+1:], ":")
			if !ok || tag == "latest" {
				t.Errorf("%s runs %s", w, image)
			}
			if w.name == "etcd" && tag != "v"+version.Version {
				t.Errorf("%s runs %s, our tests %s", w, image, version.Version)
			}
		}
	})
}

package k8s_test

import (
	"path"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// chosen returns the workloads whose pods a selector chooses.
func chosen(t *testing.T, all manifests, selector *metav1.LabelSelector) []workload {
	t.Helper()
	s, err := metav1.LabelSelectorAsSelector(selector)
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(workloads(all), func(w workload) bool { return !s.Matches(labels.Set(w.pod.Labels)) })
}

// port returns the number of a container's port, given by name or number.
func (w workload) port(p intstr.IntOrString) (number int32, ok bool) {
	for _, declared := range w.container().Ports {
		if p.StrVal == declared.Name || p.Type == intstr.Int && p.IntVal == declared.ContainerPort {
			return declared.ContainerPort, true
		}
	}
	return 0, false
}

func TestSelectorsMatch(t *testing.T) {
	each(t, func(t *testing.T, all manifests) {
		for _, w := range workloads(all) {
			if got := chosen(t, all, w.selector); len(got) != 1 || got[0].String() != w.String() {
				t.Errorf("%s selects %v", w, got)
			}
		}
		for _, s := range of[*corev1.Service](all) {
			got := chosen(t, all, &metav1.LabelSelector{MatchLabels: s.Spec.Selector})
			if len(got) != 1 {
				t.Fatalf("Service %s selects %v", s.Name, got)
			}
			for _, p := range s.Spec.Ports {
				if _, ok := got[0].port(p.TargetPort); !ok {
					t.Errorf("Service %s: %s has no port %s", s.Name, got[0], p.TargetPort.String())
				}
			}
		}
		for _, b := range of[*policyv1.PodDisruptionBudget](all) {
			if got := chosen(t, all, b.Spec.Selector); len(got) != 1 {
				t.Errorf("PodDisruptionBudget %s selects %v", b.Name, got)
			}
		}
	})
}

func TestEveryPartMayBeDisrupted(t *testing.T) {
	for _, folder := range []string{"k8s/base", "k8s/overlays/prod"} {
		all := render(t, folder)
		for _, w := range workloads(all) {
			b := named[*policyv1.PodDisruptionBudget](all, w.name)
			if b == nil || b.Spec.MaxUnavailable == nil || b.Spec.MinAvailable != nil {
				t.Errorf("%s: %s has no budget", folder, w)
			}
		}
	}
}

func TestAutoscalersScaleWhatIsThere(t *testing.T) {
	each(t, func(t *testing.T, all manifests) {
		for _, h := range of[*autoscalingv2.HorizontalPodAutoscaler](all) {
			d := named[*appsv1.Deployment](all, h.Spec.ScaleTargetRef.Name)
			if d == nil || h.Spec.ScaleTargetRef.Kind != "Deployment" || h.Spec.ScaleTargetRef.APIVersion != "apps/v1" {
				t.Fatalf("%s scales %+v", h.Name, h.Spec.ScaleTargetRef)
			}
			if d.Spec.Replicas != nil {
				t.Errorf("%s has replicas, which each apply would take from its autoscaler", d.Name)
			}
			if d.Spec.Template.Spec.Containers[0].Resources.Requests.Cpu().IsZero() {
				t.Errorf("%s requests no CPU: there is nothing to take a percentage of", d.Name)
			}
			if *h.Spec.MinReplicas < 2 || h.Spec.MaxReplicas <= *h.Spec.MinReplicas {
				t.Errorf("%s has from %d to %d replicas", h.Name, *h.Spec.MinReplicas, h.Spec.MaxReplicas)
			}
		}
	})
}

func TestOverlaysDifferInSize(t *testing.T) {
	dev, prod := render(t, "k8s/overlays/dev"), render(t, "k8s/overlays/prod")
	if n := len(of[*autoscalingv2.HorizontalPodAutoscaler](dev)) + len(of[*policyv1.PodDisruptionBudget](dev)); n != 0 {
		t.Errorf("dev has %d autoscalers and budgets", n)
	}
	for _, d := range of[*appsv1.Deployment](dev) {
		if d.Spec.Replicas == nil || *d.Spec.Replicas != 1 {
			t.Errorf("dev has %v replicas of %s", d.Spec.Replicas, d.Name)
		}
	}
	for all, want := range map[*manifests]int32{&dev: 1, &prod: 3} {
		etcd := named[*appsv1.StatefulSet](*all, "etcd")
		cluster, _ := workloads(manifests{etcd})[0].settings(*all)
		members := strings.Split(cluster["ETCD_INITIAL_CLUSTER"], ",")
		edge, _ := parts(*all)[0].settings(*all)
		known := strings.Split(edge["FAIRLEAD_MESH_ETCD"], ",")
		if *etcd.Spec.Replicas != want || len(members) != int(want) || len(known) != int(want) {
			t.Errorf("%d members of etcd, each expects %d, the parts know %d; want %d", *etcd.Spec.Replicas, len(members), len(known), want)
		}
	}
}

func TestAccountsAndVolumesAreThere(t *testing.T) {
	secrets := madeSecrets(t)
	each(t, func(t *testing.T, all manifests) {
		for _, w := range workloads(all) {
			account := named[*corev1.ServiceAccount](all, w.pod.Spec.ServiceAccountName)
			if account == nil || account.AutomountServiceAccountToken == nil || *account.AutomountServiceAccountToken {
				t.Errorf("%s: the account %q is not there, or has a token", w, w.pod.Spec.ServiceAccountName)
			}
			for _, v := range w.pod.Spec.Volumes {
				if v.ConfigMap != nil && named[*corev1.ConfigMap](all, v.ConfigMap.Name) == nil {
					t.Errorf("%s: no ConfigMap %s", w, v.ConfigMap.Name)
				}
				if v.Secret != nil && secrets[v.Secret.SecretName] == nil {
					t.Errorf("%s: docs/kubernetes.md does not make the secret %s", w, v.Secret.SecretName)
				}
				if v.Secret != nil && (v.Secret.DefaultMode == nil || *v.Secret.DefaultMode != 0o440) {
					t.Errorf("%s: everybody can read the secret %s", w, v.Secret.SecretName)
				}
			}
			for _, e := range w.container().Env {
				if e.ValueFrom != nil && e.ValueFrom.SecretKeyRef != nil {
					t.Errorf("%s: %s is a secret in an environment", w, e.Name)
				}
			}
		}
	})
}

// Every path that a setting or an argument names is in a volume, and its file in
// the secret or ConfigMap that the volume holds.
func TestPathsAreMounted(t *testing.T) {
	secrets := madeSecrets(t)
	each(t, func(t *testing.T, all manifests) {
		for _, w := range workloads(all) {
			files := mounted(t, all, w, secrets)
			for _, p := range paths(t, all, w) {
				if !files[p] && !files[path.Dir(p)] {
					t.Errorf("%s: nothing is mounted at %s", w, p)
				}
			}
		}
	})
}

// mounted returns the files in a pod that come from secrets and ConfigMaps, and
// the folders that are free to write.
func mounted(t *testing.T, all manifests, w workload, secrets map[string][]string) map[string]bool {
	t.Helper()
	files := make(map[string]bool)
	for _, m := range w.container().VolumeMounts {
		i := slices.IndexFunc(w.pod.Spec.Volumes, func(v corev1.Volume) bool { return v.Name == m.Name })
		switch {
		case i < 0: // the claim of a StatefulSet
			files[m.MountPath] = true
		case w.pod.Spec.Volumes[i].Secret != nil:
			for _, key := range secrets[w.pod.Spec.Volumes[i].Secret.SecretName] {
				files[path.Join(m.MountPath, key)] = true
				// A folder that a part reads as a whole.
				files[m.MountPath] = files[m.MountPath] || strings.HasSuffix(key, ".pem")
			}
		case w.pod.Spec.Volumes[i].ConfigMap != nil:
			for key := range named[*corev1.ConfigMap](all, w.pod.Spec.Volumes[i].ConfigMap.Name).Data {
				files[path.Join(m.MountPath, key)] = true
			}
		default:
			files[m.MountPath] = true
		}
	}
	return files
}

// paths returns the absolute paths in settings and arguments.
func paths(t *testing.T, all manifests, w workload) []string {
	t.Helper()
	settings, err := w.settings(all)
	if err != nil {
		t.Fatal(err)
	}
	var some []string
	for _, value := range settings {
		if strings.HasPrefix(value, "/") {
			some = append(some, value)
		}
	}
	for _, arg := range w.container().Args {
		if _, value, _ := strings.Cut(arg, "="); strings.HasPrefix(value, "/") {
			some = append(some, value)
		}
	}
	return some
}

func TestProbesPointAtNamedPorts(t *testing.T) {
	each(t, func(t *testing.T, all manifests) {
		for _, w := range workloads(all) {
			live, ready := w.container().LivenessProbe, w.container().ReadinessProbe
			if live == nil || ready == nil || live.HTTPGet == nil || ready.HTTPGet == nil {
				t.Fatalf("%s has no probes", w)
			}
			for _, p := range []*corev1.Probe{live, ready} {
				if _, ok := w.port(p.HTTPGet.Port); !ok || p.HTTPGet.Port.Type != intstr.String {
					t.Errorf("%s: a probe asks the port %s", w, p.HTTPGet.Port.String())
				}
			}
		}
		for _, w := range parts(all) {
			if l, r := w.container().LivenessProbe.HTTPGet.Path, w.container().ReadinessProbe.HTTPGet.Path; l != "/healthz" || r != "/readyz" {
				t.Errorf("%s: probes %s and %s", w, l, r)
			}
		}
	})
}

func TestPoliciesNameDeclaredPorts(t *testing.T) {
	each(t, func(t *testing.T, all manifests) {
		declared := map[int32]bool{53: true, 5432: true} // elsewhere
		for _, w := range workloads(all) {
			for _, p := range w.container().Ports {
				declared[p.ContainerPort] = true
			}
			covered := false
			for _, p := range of[*networkingv1.NetworkPolicy](all) {
				closed := len(p.Spec.Ingress) == 0 && len(p.Spec.Egress) == 0 && len(p.Spec.PolicyTypes) == 2
				covered = covered || closed && slices.ContainsFunc(chosen(t, all, &p.Spec.PodSelector), func(c workload) bool { return c.name == w.name })
			}
			if !covered {
				t.Errorf("%s is open to everybody", w)
			}
		}
		for _, p := range of[*networkingv1.NetworkPolicy](all) {
			for _, rule := range p.Spec.Ingress {
				public := len(rule.From) == 0
				if public && (p.Name != "edge-public" || len(chosen(t, all, &p.Spec.PodSelector)) != 1) {
					t.Errorf("NetworkPolicy %s lets everybody in", p.Name)
				}
				for _, port := range rule.Ports {
					if !declared[port.Port.IntVal] {
						t.Errorf("NetworkPolicy %s: nothing listens on %s", p.Name, port.Port.String())
					}
				}
			}
			for _, rule := range p.Spec.Egress {
				for _, port := range rule.Ports {
					if !declared[port.Port.IntVal] {
						t.Errorf("NetworkPolicy %s: nothing listens on %s", p.Name, port.Port.String())
					}
				}
			}
		}
	})
}

package main

import (
	"reflect"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/util/retry"
)

func named(name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Name: name, Labels: map[string]string{"app": name}}
}

func podSpec() corev1.PodSpec {
	no, user, mode := false, int64(1000), int32(0440)
	return corev1.PodSpec{
		Containers: []corev1.Container{{
			Name: "main", Image: "nginx:1.27", Args: []string{"-g", "daemon off;"},
			Ports: []corev1.ContainerPort{{Name: "http", ContainerPort: 80}},
			Env: []corev1.EnvVar{
				{Name: "PLAIN", Value: "x"},
				{Name: "ME", ValueFrom: &corev1.EnvVarSource{
					FieldRef: &corev1.ObjectFieldSelector{FieldPath: "metadata.name"}}},
			},
			Resources: corev1.ResourceRequirements{
				Requests: corev1.ResourceList{"cpu": resource.MustParse("50m"),
					"memory": resource.MustParse("16Mi")},
			},
			ReadinessProbe: &corev1.Probe{Handler: corev1.Handler{HTTPGet: &corev1.HTTPGetAction{
				Path: "/", Port: intstr.FromString("http")}}},
			LivenessProbe: &corev1.Probe{Handler: corev1.Handler{TCPSocket: &corev1.TCPSocketAction{
				Port: intstr.FromInt(80)}}},
			SecurityContext: &corev1.SecurityContext{AllowPrivilegeEscalation: &no},
			VolumeMounts:    []corev1.VolumeMount{{Name: "config", MountPath: "/etc/config"}},
		}},
		SecurityContext: &corev1.PodSecurityContext{RunAsUser: &user},
		Volumes: []corev1.Volume{{Name: "config", VolumeSource: corev1.VolumeSource{
			ConfigMap: &corev1.ConfigMapVolumeSource{
				LocalObjectReference: corev1.LocalObjectReference{Name: "settings"},
				DefaultMode:          &mode}}}},
	}
}

func deployment(name string, replicas int32) *appsv1.Deployment {
	half := intstr.FromString("50%")
	return &appsv1.Deployment{
		ObjectMeta: named(name),
		Spec: appsv1.DeploymentSpec{
			Replicas: &replicas,
			Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": name}},
			Strategy: appsv1.DeploymentStrategy{Type: "RollingUpdate",
				RollingUpdate: &appsv1.RollingUpdateDeployment{MaxUnavailable: &half}},
			Template: corev1.PodTemplateSpec{ObjectMeta: named(name), Spec: podSpec()},
		},
	}
}

// objects makes objects of many kinds, and finds in them what it put there.
func objects(w *world) {
	core, option := w.client.CoreV1(), metav1.CreateOptions{}
	settings, err := core.ConfigMaps(w.namespace).Create(w.ctx, &corev1.ConfigMap{
		ObjectMeta: named("settings"), Data: map[string]string{"a": "b", "empty": ""},
		BinaryData: map[string][]byte{"blob": {0, 255, 10}}}, option)
	must(err)
	expect(settings.UID != "" && settings.ResourceVersion != "", "unnamed: %v", settings.ObjectMeta)
	expect(!settings.CreationTimestamp.IsZero(), "not born: %v", settings.ObjectMeta)
	expect(reflect.DeepEqual(settings.BinaryData["blob"], []byte{0, 255, 10}), "%v", settings)
	value, has := settings.Data["empty"]
	expect(has && value == "", "%v", settings.Data)

	secret, err := core.Secrets(w.namespace).Create(w.ctx, &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "made-"},
		StringData: map[string]string{"word": "pass"}}, option)
	must(err)
	expect(string(secret.Data["word"]) == "pass", "%v", secret.Data)
	expect(strings.HasPrefix(secret.Name, "made-") && secret.Type == "Opaque", "%v", secret)

	made, err := w.client.AppsV1().Deployments(w.namespace).Create(w.ctx, deployment("web", 1), option)
	must(err)
	spec := made.Spec.Template.Spec
	expect(made.Generation == 1 && *made.Spec.RevisionHistoryLimit == 10, "%v", made)
	expect(made.Spec.Strategy.RollingUpdate.MaxUnavailable.StrVal == "50%", "%v", made.Spec.Strategy)
	expect(made.Spec.Strategy.RollingUpdate.MaxSurge.StrVal == "25%", "%v", made.Spec.Strategy)
	expect(spec.RestartPolicy == "Always" && spec.DNSPolicy == "ClusterFirst", "%v", spec)
	expect(*spec.SecurityContext.RunAsUser == 1000, "%v", spec.SecurityContext)
	expect(spec.Containers[0].Resources.Requests.Cpu().MilliValue() == 50, "%v", spec)
	expect(spec.Containers[0].LivenessProbe.TCPSocket.Port.IntVal == 80, "%v", spec)
	expect(spec.Containers[0].ReadinessProbe.PeriodSeconds == 10, "%v", spec)
	expect(*spec.Volumes[0].ConfigMap.DefaultMode == 0440, "%v", spec.Volumes)
	expect(spec.Containers[0].Env[1].ValueFrom.FieldRef.APIVersion == "v1", "%v", spec)

	service, err := core.Services(w.namespace).Create(w.ctx, &corev1.Service{
		ObjectMeta: named("web"), Spec: corev1.ServiceSpec{
			Selector: map[string]string{"app": "web"},
			Ports:    []corev1.ServicePort{{Port: 80, TargetPort: intstr.FromString("http")}}}}, option)
	must(err)
	expect(service.Spec.ClusterIP != "" && service.Spec.Type == "ClusterIP", "%v", service.Spec)

	job, err := w.client.BatchV1().Jobs(w.namespace).Create(w.ctx, &batchv1.Job{
		ObjectMeta: named("job"), Spec: batchv1.JobSpec{Template: corev1.PodTemplateSpec{
			Spec: corev1.PodSpec{RestartPolicy: "Never",
				Containers: []corev1.Container{{Name: "main", Image: "busybox"}}}}}}, option)
	must(err)
	expect(*job.Spec.BackoffLimit == 6 && *job.Spec.Completions == 1, "%v", job.Spec)

	prefix := networkingv1.PathTypePrefix
	ingress, err := w.client.NetworkingV1().Ingresses(w.namespace).Create(w.ctx, &networkingv1.Ingress{
		ObjectMeta: named("web"), Spec: networkingv1.IngressSpec{Rules: []networkingv1.IngressRule{{
			Host: "web.test", IngressRuleValue: networkingv1.IngressRuleValue{
				HTTP: &networkingv1.HTTPIngressRuleValue{Paths: []networkingv1.HTTPIngressPath{{
					Path: "/", PathType: &prefix, Backend: networkingv1.IngressBackend{
						Service: &networkingv1.IngressServiceBackend{Name: "web",
							Port: networkingv1.ServiceBackendPort{Number: 80}}}}}}}}}}}, option)
	must(err)
	expect(ingress.Spec.Rules[0].HTTP.Paths[0].Backend.Service.Port.Number == 80, "%v", ingress)

	role, err := w.client.RbacV1().Roles(w.namespace).Create(w.ctx, &rbacv1.Role{
		ObjectMeta: named("reader"), Rules: []rbacv1.PolicyRule{{
			Verbs: []string{"get"}, APIGroups: []string{""}, Resources: []string{"pods"}}}}, option)
	must(err)
	expect(role.Rules[0].APIGroups[0] == "", "%v", role.Rules)

	var changed *appsv1.Deployment
	must(retry.RetryOnConflict(retry.DefaultRetry, func() error {
		made, err = w.client.AppsV1().Deployments(w.namespace).Get(w.ctx, "web", metav1.GetOptions{})
		must(err)
		made.Spec.Template.Spec.Containers[0].Image = "nginx:1.28"
		changed, err = w.client.AppsV1().Deployments(w.namespace).Update(w.ctx, made, metav1.UpdateOptions{})
		return err
	}))
	expect(changed.Generation == 2, "generation %d", changed.Generation)

	foreground := metav1.DeletePropagationForeground
	must(w.client.AppsV1().Deployments(w.namespace).Delete(w.ctx, "web",
		metav1.DeleteOptions{PropagationPolicy: &foreground,
			Preconditions: &metav1.Preconditions{UID: &changed.UID}}))
	until("the deployment is gone with what it owned", func() bool {
		sets, err := w.client.AppsV1().ReplicaSets(w.namespace).List(w.ctx, metav1.ListOptions{})
		must(err)
		_, gone := w.client.AppsV1().Deployments(w.namespace).Get(w.ctx, "web", metav1.GetOptions{})
		return gone != nil && len(sets.Items) == 0
	})
	must(core.Secrets(w.namespace).DeleteCollection(w.ctx, metav1.DeleteOptions{},
		metav1.ListOptions{FieldSelector: "metadata.name=" + secret.Name}))
}

// patches changes an object in each of the ways.
func patches(w *world) {
	deployments := w.client.AppsV1().Deployments(w.namespace)
	_, err := deployments.Create(w.ctx, deployment("patched", 0), metav1.CreateOptions{})
	must(err)
	patch := func(kind types.PatchType, body string, options metav1.PatchOptions) *appsv1.Deployment {
		found, err := deployments.Patch(w.ctx, "patched", kind, []byte(body), options)
		must(err)
		return found
	}
	none := metav1.PatchOptions{}
	found := patch(types.StrategicMergePatchType,
		`{"spec":{"template":{"spec":{"containers":[{"name":"side","image":"busybox"}]}}}}`, none)
	expect(len(found.Spec.Template.Spec.Containers) == 2, "%v", found.Spec.Template.Spec.Containers)
	found = patch(types.MergePatchType, `{"metadata":{"annotations":{"a":"b"}},"spec":{"paused":true}}`, none)
	expect(found.Spec.Paused && found.Annotations["a"] == "b", "%v", found)
	found = patch(types.JSONPatchType, `[{"op":"remove","path":"/metadata/annotations/a"}]`, none)
	_, has := found.Annotations["a"]
	expect(!has, "%v", found.Annotations)
	found = patch(types.MergePatchType, `{"spec":{"paused":false}}`,
		metav1.PatchOptions{DryRun: []string{"All"}})
	expect(!found.Spec.Paused, "%v", found.Spec)
	kept, err := deployments.Get(w.ctx, "patched", metav1.GetOptions{})
	must(err)
	expect(kept.Spec.Paused, "%v", kept.Spec)

	yes := true
	applied := `{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"patched"},"spec":{"replicas":3}}`
	_, err = deployments.Patch(w.ctx, "patched", types.ApplyPatchType, []byte(applied),
		metav1.PatchOptions{FieldManager: "go"})
	expectReason(err, "Conflict", ".spec.replicas")
	found = patch(types.ApplyPatchType, applied, metav1.PatchOptions{FieldManager: "go", Force: &yes})
	expect(*found.Spec.Replicas == 3, "%v", found.Spec)
	managers := map[string]string{}
	for _, each := range found.ManagedFields {
		managers[each.Manager] = string(each.Operation)
	}
	expect(managers["go"] == "Apply", "%v", managers)

	must(retry.RetryOnConflict(retry.DefaultRetry, func() error {
		found, err = deployments.Get(w.ctx, "patched", metav1.GetOptions{})
		must(err)
		found.Status.Conditions = append(found.Status.Conditions, appsv1.DeploymentCondition{
			Type: "Tested", Status: "True", Reason: "ByGo", LastUpdateTime: metav1.Now()})
		found, err = deployments.UpdateStatus(w.ctx, found, metav1.UpdateOptions{})
		return err
	}))
	expect(found.Status.Conditions[len(found.Status.Conditions)-1].Type == "Tested", "%v", found.Status)
}

// pages lists in pages that fit together, and by selectors.
func pages(w *world) {
	maps := w.client.CoreV1().ConfigMaps(w.namespace)
	for number := 0; number < 7; number++ {
		_, err := maps.Create(w.ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{
			GenerateName: "page-", Labels: map[string]string{"page": "yes"}}}, metav1.CreateOptions{})
		must(err)
	}
	seen, token, asked := map[string]bool{}, "", 0
	for {
		found, err := maps.List(w.ctx, metav1.ListOptions{Limit: 3, Continue: token, LabelSelector: "page"})
		must(err)
		asked++
		if asked == 1 {
			expect(found.RemainingItemCount == nil || *found.RemainingItemCount == 4, "%v", found.ListMeta)
		}
		for _, each := range found.Items {
			seen[each.Name] = true
		}
		token = found.Continue
		if token == "" {
			break
		}
	}
	expect(len(seen) == 7 && asked == 3, "%d objects in %d pages", len(seen), asked)
	for name := range seen {
		found, err := maps.List(w.ctx, metav1.ListOptions{FieldSelector: "metadata.name=" + name})
		must(err)
		expect(len(found.Items) == 1 && found.Items[0].Name == name, "%v", found.Items)
	}
}

// failures is told in Status objects what went wrong.
func failures(w *world) {
	maps := w.client.CoreV1().ConfigMaps(w.namespace)
	_, err := maps.Get(w.ctx, "none", metav1.GetOptions{})
	expectReason(err, "NotFound", `configmaps "none" not found`)
	made, err := maps.Create(w.ctx, &corev1.ConfigMap{ObjectMeta: named("twice")}, metav1.CreateOptions{})
	must(err)
	_, err = maps.Create(w.ctx, &corev1.ConfigMap{ObjectMeta: named("twice")}, metav1.CreateOptions{})
	expectReason(err, "AlreadyExists", `configmaps "twice" already exists`)
	stale := made.DeepCopy()
	made.Data = map[string]string{"a": "b"}
	_, err = maps.Update(w.ctx, made, metav1.UpdateOptions{})
	must(err)
	_, err = maps.Update(w.ctx, stale, metav1.UpdateOptions{})
	expectReason(err, "Conflict", "the object has been modified")
	wrong := deployment("wrong", 1)
	wrong.Spec.Template.Labels = nil
	_, err = w.client.AppsV1().Deployments(w.namespace).Create(w.ctx, wrong, metav1.CreateOptions{})
	expectReason(err, "Invalid", "spec.template.metadata.labels", "selector")
	_, err = w.client.CoreV1().ConfigMaps("nowhere").Create(w.ctx,
		&corev1.ConfigMap{ObjectMeta: named("lost")}, metav1.CreateOptions{})
	expectReason(err, "NotFound", `namespaces "nowhere" not found`)
}

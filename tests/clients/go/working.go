package main

import (
	"bytes"
	"context"
	"fmt"
	"io/ioutil"
	"net/http"
	"strings"
	"sync"
	"time"

	autoscalingv1 "k8s.io/api/autoscaling/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1beta1 "k8s.io/api/policy/v1beta1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/dynamic/dynamicinformer"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/restmapper"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	"k8s.io/client-go/tools/portforward"
	"k8s.io/client-go/tools/record"
	"k8s.io/client-go/tools/remotecommand"
	"k8s.io/client-go/transport/spdy"
	"k8s.io/client-go/util/retry"
)

// story keeps what an informer's handlers were told.
type story struct {
	lock  sync.Mutex
	lines []string
}

func (s *story) add(what string, object interface{}) {
	if gone, is := object.(cache.DeletedFinalStateUnknown); is {
		object = gone.Obj
	}
	meta, is := object.(metav1.Object)
	expect(is, "not an object: %T", object)
	s.lock.Lock()
	defer s.lock.Unlock()
	s.lines = append(s.lines, what+" "+meta.GetName())
}

func (s *story) has(line string) bool {
	s.lock.Lock()
	defer s.lock.Unlock()
	for _, each := range s.lines {
		if each == line {
			return true
		}
	}
	return false
}

func (s *story) handlers() cache.ResourceEventHandlerFuncs {
	return cache.ResourceEventHandlerFuncs{
		AddFunc:    func(o interface{}) { s.add("added", o) },
		UpdateFunc: func(_, o interface{}) { s.add("updated", o) },
		DeleteFunc: func(o interface{}) { s.add("deleted", o) },
	}
}

// informer follows a namespace's configuration in a cache of its own.
func informer(w *world) {
	maps := w.client.CoreV1().ConfigMaps(w.namespace)
	plain := func(name string) *corev1.ConfigMap { return &corev1.ConfigMap{ObjectMeta: named(name)} }
	_, err := maps.Create(w.ctx, plain("before"), metav1.CreateOptions{})
	must(err)
	factory := informers.NewSharedInformerFactoryWithOptions(
		w.client, time.Minute, informers.WithNamespace(w.namespace))
	shared, told := factory.Core().V1().ConfigMaps(), &story{}
	shared.Informer().AddEventHandler(told.handlers())
	factory.Start(w.ctx.Done())
	expect(cache.WaitForCacheSync(w.ctx.Done(), shared.Informer().HasSynced), "never synced")
	_, err = shared.Lister().ConfigMaps(w.namespace).Get("before")
	must(err)
	made, err := maps.Create(w.ctx, plain("during"), metav1.CreateOptions{})
	must(err)
	until("it is added", func() bool { return told.has("added during") })
	made.Data = map[string]string{"a": "b"}
	_, err = maps.Update(w.ctx, made, metav1.UpdateOptions{})
	must(err)
	until("it is updated", func() bool { return told.has("updated during") })
	kept, err := shared.Lister().ConfigMaps(w.namespace).Get("during")
	must(err)
	expect(kept.Data["a"] == "b", "%v", kept)
	must(maps.Delete(w.ctx, "during", metav1.DeleteOptions{}))
	until("it is deleted", func() bool { return told.has("deleted during") })
}

// election lets two candidates lead one after the other, and tells of it in events.
func election(w *world) {
	turns := make(chan string, 4)
	broadcaster := record.NewBroadcaster()
	watched := broadcaster.StartEventWatcher(func(event *corev1.Event) {
		if event.InvolvedObject.Name == "" {
			return // This client-go forgets the lease when it is stopped while it reads it.
		}
		_, err := w.client.CoreV1().Events(w.namespace).Create(w.ctx, event, metav1.CreateOptions{})
		must(err)
	})
	defer watched.Stop()
	candidate := func(name string) context.CancelFunc {
		ctx, cancel := context.WithCancel(w.ctx)
		lock := &resourcelock.LeaseLock{
			LeaseMeta: metav1.ObjectMeta{Name: "lead", Namespace: w.namespace},
			Client:    w.client.CoordinationV1(),
			LockConfig: resourcelock.ResourceLockConfig{Identity: name,
				EventRecorder: broadcaster.NewRecorder(scheme.Scheme, corev1.EventSource{Component: name})},
		}
		go leaderelection.RunOrDie(ctx, leaderelection.LeaderElectionConfig{
			Lock: lock, ReleaseOnCancel: true, Name: name,
			LeaseDuration: 3 * time.Second, RenewDeadline: 2 * time.Second, RetryPeriod: 200 * time.Millisecond,
			Callbacks: leaderelection.LeaderCallbacks{
				OnStartedLeading: func(context.Context) { turns <- name },
				OnStoppedLeading: func() {},
			},
		})
		return cancel
	}
	next := func() string {
		select {
		case name := <-turns:
			return name
		case <-time.After(patience):
			panic("nobody leads")
		}
	}
	leave := candidate("first")
	expect(next() == "first", "another leads")
	defer candidate("second")()
	leave()
	expect(next() == "second", "another leads")
	lease, err := w.client.CoordinationV1().Leases(w.namespace).Get(w.ctx, "lead", metav1.GetOptions{})
	must(err)
	expect(*lease.Spec.HolderIdentity == "second" && *lease.Spec.LeaseTransitions >= 1, "%v", lease.Spec)
	until("events tell of it", func() bool {
		found, err := w.client.CoreV1().Events(w.namespace).List(w.ctx,
			metav1.ListOptions{FieldSelector: "reason=LeaderElection,involvedObject.name=lead"})
		must(err)
		return len(found.Items) >= 2
	})
}

// dynamically defines a kind, and works on its objects without types.
func dynamically(w *world) {
	client, err := dynamic.NewForConfig(w.config)
	must(err)
	group := w.namespace + ".test"
	at := func(group, version, plural string) schema.GroupVersionResource {
		return schema.GroupVersionResource{Group: group, Version: version, Resource: plural}
	}
	definitions := client.Resource(at("apiextensions.k8s.io", "v1", "customresourcedefinitions"))
	definition := &unstructured.Unstructured{Object: map[string]interface{}{
		"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
		"metadata": map[string]interface{}{"name": "toys." + group},
		"spec": map[string]interface{}{
			"group": group, "scope": "Namespaced",
			"names": map[string]interface{}{"plural": "toys", "kind": "Toy"},
			"versions": []interface{}{map[string]interface{}{
				"name": "v1", "served": true, "storage": true,
				"subresources": map[string]interface{}{"status": map[string]interface{}{}},
				"schema": map[string]interface{}{"openAPIV3Schema": map[string]interface{}{
					"type": "object", "x-kubernetes-preserve-unknown-fields": true}},
			}},
		},
	}}
	_, err = definitions.Create(w.ctx, definition, metav1.CreateOptions{})
	must(err)
	defer func() { must(definitions.Delete(w.ctx, "toys."+group, metav1.DeleteOptions{})) }()
	until("the definition is established", func() bool {
		found, err := definitions.Get(w.ctx, "toys."+group, metav1.GetOptions{})
		must(err)
		return strings.Contains(fmt.Sprint(found.Object["status"]), "type:Established")
	})
	factory := dynamicinformer.NewFilteredDynamicSharedInformerFactory(client, time.Minute, w.namespace, nil)
	shared, told := factory.ForResource(at(group, "v1", "toys")).Informer(), &story{}
	shared.AddEventHandler(told.handlers())
	factory.Start(w.ctx.Done())
	expect(cache.WaitForCacheSync(w.ctx.Done(), shared.HasSynced), "never synced")
	toys := client.Resource(at(group, "v1", "toys")).Namespace(w.namespace)
	toy := &unstructured.Unstructured{Object: map[string]interface{}{
		"apiVersion": group + "/v1", "kind": "Toy", "metadata": map[string]interface{}{"name": "ball"},
		"spec": map[string]interface{}{"size": int64(3)}}}
	made, err := toys.Create(w.ctx, toy, metav1.CreateOptions{})
	must(err)
	until("it is added", func() bool { return told.has("added ball") })
	made.Object["status"] = map[string]interface{}{"colour": "red"}
	made, err = toys.UpdateStatus(w.ctx, made, metav1.UpdateOptions{})
	must(err)
	colour, _, _ := unstructured.NestedString(made.Object, "status", "colour")
	expect(colour == "red", "%v", made.Object)
	_, err = toys.Patch(w.ctx, "ball", types.MergePatchType, []byte(`{"spec":{"size":4}}`), metav1.PatchOptions{})
	must(err)
	must(toys.Delete(w.ctx, "ball", metav1.DeleteOptions{}))
	until("it is deleted", func() bool { return told.has("deleted ball") })
}

// discovers finds its way from kinds to resources.
func discovers(w *world) {
	groups, err := restmapper.GetAPIGroupResources(w.client.Discovery())
	must(err)
	mapper := restmapper.NewDiscoveryRESTMapper(groups)
	for kind, plural := range map[schema.GroupKind]string{
		{Kind: "Pod"}:                                       "pods",
		{Group: "apps", Kind: "Deployment"}:                 "deployments",
		{Group: "networking.k8s.io", Kind: "NetworkPolicy"}: "networkpolicies",
	} {
		found, err := mapper.RESTMapping(kind)
		must(err)
		expect(found.Resource.Resource == plural, "%v", found.Resource)
	}
	version, err := w.client.Discovery().ServerVersion()
	must(err)
	expect(version.Major == "1" && strings.HasPrefix(version.GitVersion, "v1."), "%v", version)
	document, err := w.client.Discovery().OpenAPISchema()
	must(err)
	expect(len(document.Definitions.AdditionalProperties) > 300, "a short OpenAPI document")
}

// pods runs a command in a pod, reads its log, and talks to its port, over SPDY.
func pods(w *world) {
	client := w.client.CoreV1().Pods(w.namespace)
	pod := &corev1.Pod{ObjectMeta: named("web"), Spec: corev1.PodSpec{
		Containers: []corev1.Container{{Name: "main", Image: "example.com/pages",
			Ports: []corev1.ContainerPort{{ContainerPort: 80}}}}}}
	_, err := client.Create(w.ctx, pod, metav1.CreateOptions{})
	must(err)
	until("the pod is ready", func() bool {
		found, err := client.Get(w.ctx, "web", metav1.GetOptions{})
		must(err)
		for _, each := range found.Status.Conditions {
			if each.Type == corev1.PodReady && each.Status == corev1.ConditionTrue {
				return true
			}
		}
		return false
	})
	said, err := run(w, "words", "cat")
	must(err)
	expect(said == "words", "cat said %q", said)
	_, err = run(w, "", "sh", "-c", "exit 7")
	expect(err != nil && strings.Contains(err.Error(), "exit code 7"), "%v", err)
	expect(forwarded(w) == "web\nGET /\n", "another page")
	until("the log tells of the request", func() bool {
		stream, err := client.GetLogs("web", &corev1.PodLogOptions{}).Stream(w.ctx)
		must(err)
		defer stream.Close()
		lines, err := ioutil.ReadAll(stream)
		must(err)
		return strings.Contains(string(lines), "GET /")
	})
	zero := int64(0)
	must(client.Delete(w.ctx, "web", metav1.DeleteOptions{GracePeriodSeconds: &zero}))
}

func run(w *world, stdin string, command ...string) (string, error) {
	request := w.client.CoreV1().RESTClient().Post().Resource("pods").Name("web").
		Namespace(w.namespace).SubResource("exec").
		VersionedParams(&corev1.PodExecOptions{Command: command,
			Stdin: stdin != "", Stdout: true, Stderr: true}, scheme.ParameterCodec)
	executor, err := remotecommand.NewSPDYExecutor(w.config, "POST", request.URL())
	must(err)
	var out, errors bytes.Buffer
	options := remotecommand.StreamOptions{Stdout: &out, Stderr: &errors}
	if stdin != "" {
		options.Stdin = strings.NewReader(stdin)
	}
	err = executor.Stream(options)
	return out.String(), err
}

func forwarded(w *world) string {
	transport, upgrader, err := spdy.RoundTripperFor(w.config)
	must(err)
	url := w.client.CoreV1().RESTClient().Post().Resource("pods").Name("web").
		Namespace(w.namespace).SubResource("portforward").URL()
	dialer := spdy.NewDialer(upgrader, &http.Client{Transport: transport}, "POST", url)
	stop, ready := make(chan struct{}), make(chan struct{})
	defer close(stop)
	forwarder, err := portforward.NewOnAddresses(dialer, []string{"127.0.0.1"}, []string{"0:80"},
		stop, ready, ioutil.Discard, ioutil.Discard)
	must(err)
	go func() { must(forwarder.ForwardPorts()) }()
	<-ready
	ports, err := forwarder.GetPorts()
	must(err)
	answer, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d/", ports[0].Local))
	must(err)
	defer answer.Body.Close()
	page, err := ioutil.ReadAll(answer.Body)
	must(err)
	return string(page)
}

// eviction asks for a pod to go, in the group's old version, which servers take to this day.
func eviction(w *world) {
	client := w.client.CoreV1().Pods(w.namespace)
	pod := &corev1.Pod{ObjectMeta: named("leaves"), Spec: corev1.PodSpec{
		Containers: []corev1.Container{{Name: "main", Image: "nginx"}}}}
	_, err := client.Create(w.ctx, pod, metav1.CreateOptions{})
	must(err)
	must(client.Evict(w.ctx, &policyv1beta1.Eviction{
		ObjectMeta: metav1.ObjectMeta{Name: "leaves", Namespace: w.namespace}}))
	until("the pod is gone", func() bool {
		_, err := client.Get(w.ctx, "leaves", metav1.GetOptions{})
		return err != nil
	})
}

// scale reads and writes the Scale of a deployment.
func scale(w *world) {
	client := w.client.AppsV1().Deployments(w.namespace)
	_, err := client.Create(w.ctx, deployment("scaled", 0), metav1.CreateOptions{})
	must(err)
	found, err := client.GetScale(w.ctx, "scaled", metav1.GetOptions{})
	must(err)
	expect(found.Spec.Replicas == 0 && found.Status.Selector == "app=scaled", "%v", found)
	must(retry.RetryOnConflict(retry.DefaultRetry, func() error {
		found, err = client.GetScale(w.ctx, "scaled", metav1.GetOptions{})
		must(err)
		found.Spec = autoscalingv1.ScaleSpec{Replicas: 2}
		found, err = client.UpdateScale(w.ctx, "scaled", found, metav1.UpdateOptions{})
		return err
	}))
	expect(found.Spec.Replicas == 2, "%v", found)
	until("two pods were made", func() bool {
		pods, err := w.client.CoreV1().Pods(w.namespace).List(w.ctx, metav1.ListOptions{LabelSelector: "app=scaled"})
		must(err)
		return len(pods.Items) == 2
	})
}

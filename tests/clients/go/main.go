// A client of client-go that speaks protobuf and does one job, named by its first argument, in the
// namespace that the second one names. It says what went otherwise than expected, and exits 1.
package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

const patience = 30 * time.Second

// world is what every job is given.
type world struct {
	ctx       context.Context
	config    *rest.Config
	client    kubernetes.Interface
	namespace string
}

var jobs = map[string]func(*world){
	"objects":   objects,
	"patches":   patches,
	"pages":     pages,
	"errors":    failures,
	"informer":  informer,
	"election":  election,
	"dynamic":   dynamically,
	"discovery": discovers,
	"pods":      pods,
	"eviction":  eviction,
	"scale":     scale,
}

func main() {
	config, err := clientcmd.BuildConfigFromFlags("", os.Getenv("KUBECONFIG"))
	must(err)
	config.QPS = -1
	protobuf := rest.CopyConfig(config)
	protobuf.ContentType = "application/vnd.kubernetes.protobuf"
	protobuf.AcceptContentTypes = "application/vnd.kubernetes.protobuf,application/json"
	client, err := kubernetes.NewForConfig(protobuf)
	must(err)
	ctx, cancel := context.WithTimeout(context.Background(), 90*time.Second)
	defer cancel()
	job, found := jobs[os.Args[1]]
	expect(found, "there is no job %q", os.Args[1])
	job(&world{ctx, config, client, os.Args[2]})
	fmt.Println("done")
}

func must(err error) {
	if err != nil {
		panic(fmt.Sprintf("%T: %v", err, err))
	}
}

func expect(holds bool, format string, args ...interface{}) {
	if !holds {
		panic(fmt.Sprintf(format, args...))
	}
}

func expectReason(err error, reason string, words ...string) {
	expect(err != nil, "no error, but %s was expected", reason)
	expect(string(apierrors.ReasonForError(err)) == reason, "%v is not %s", err, reason)
	for _, each := range words {
		expect(strings.Contains(err.Error(), each), "%q is not in %q", each, err.Error())
	}
}

func until(what string, reached func() bool) {
	err := wait.PollImmediate(50*time.Millisecond, patience, func() (bool, error) {
		return reached(), nil
	})
	expect(err == nil, "not within %v: %s", patience, what)
}

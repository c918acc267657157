// The calls of crictl, with the libraries that crictl is made of: k8s.io/cri-api over grpc-go, and
// client-go's streams. It takes the same words and flags, and prints ids and JSON as crictl does,
// for machines on which crictl is not to be had. Not here, for cri-api of 1.20 lacks them: statsp,
// metricsp, events, checkpoint.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"time"

	"google.golang.org/grpc"
	cri "k8s.io/cri-api/pkg/apis/runtime/v1"
)

type client struct {
	cri.RuntimeServiceClient
	images cri.ImageServiceClient
	flags  *flag.FlagSet
}

type command func(ctx context.Context, c *client, arguments []string) error

var commands = map[string]command{}

func main() {
	endpoint := flag.String("r", "", "the runtime's address, unix:///path")
	flag.Parse()
	if err := run(*endpoint, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(endpoint string, words []string) error {
	if len(words) == 0 || commands[words[0]] == nil {
		return fmt.Errorf("no such command: %v", words)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	connection, err := grpc.DialContext(ctx, endpoint, grpc.WithInsecure(), grpc.WithBlock())
	if err != nil {
		return err
	}
	flags := flag.NewFlagSet(words[0], flag.ExitOnError)
	c := &client{cri.NewRuntimeServiceClient(connection), cri.NewImageServiceClient(connection), flags}
	return commands[words[0]](ctx, c, words[1:])
}

// read fills a message from a file, as crictl reads its configurations.
func read(path string, message interface{}) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return json.Unmarshal(data, message)
}

func show(answer interface{}) error {
	encoder := json.NewEncoder(os.Stdout)
	encoder.SetIndent("", "  ")
	return encoder.Encode(answer)
}

// each calls for every argument, and prints it, as crictl does of what it stopped or removed.
func each(said string, arguments []string, call func(id string) error) error {
	for _, id := range arguments {
		if err := call(id); err != nil {
			return err
		}
		fmt.Println(said + " " + id)
	}
	return nil
}

package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	restclient "k8s.io/client-go/rest"
	"k8s.io/client-go/tools/portforward"
	"k8s.io/client-go/tools/remotecommand"
	"k8s.io/client-go/transport/spdy"
	utilexec "k8s.io/client-go/util/exec"
	cri "k8s.io/cri-api/pkg/apis/runtime/v1"
)

// size tells a terminal's size, once.
type size struct{ told bool }

func (s *size) Next() *remotecommand.TerminalSize {
	if s.told {
		return nil
	}
	s.told = true
	return &remotecommand.TerminalSize{Width: 91, Height: 17}
}

func stream(address string, in io.Reader, tty bool) error {
	where, err := url.Parse(address)
	if err != nil {
		return err
	}
	executor, err := remotecommand.NewSPDYExecutor(&restclient.Config{}, "POST", where)
	if err != nil {
		return err
	}
	options := remotecommand.StreamOptions{Stdin: in, Stdout: os.Stdout, Tty: tty}
	if tty {
		options.TerminalSizeQueue = &size{}
	} else {
		options.Stderr = os.Stderr
	}
	err = executor.Stream(options)
	if ended, ok := err.(utilexec.CodeExitError); ok {
		fmt.Fprintln(os.Stderr, "command terminated with exit code", ended.Code)
		os.Exit(ended.Code)
	}
	return err
}

func input(wanted bool) io.Reader {
	if wanted {
		return os.Stdin
	}
	return nil
}

func init() {
	commands["exec"] = func(ctx context.Context, c *client, words []string) error {
		in := c.flags.Bool("i", false, "stdin")
		tty := c.flags.Bool("t", false, "a terminal")
		sync := c.flags.Bool("s", false, "ExecSync")
		seconds := c.flags.Int64("timeout", 0, "")
		c.flags.Parse(words)
		id, words := c.flags.Arg(0), c.flags.Args()[1:]
		if *sync {
			answer, err := c.ExecSync(ctx, &cri.ExecSyncRequest{ContainerId: id, Cmd: words, Timeout: *seconds})
			if err != nil {
				return err
			}
			os.Stdout.Write(answer.Stdout)
			os.Stderr.Write(answer.Stderr)
			os.Exit(int(answer.ExitCode))
		}
		answer, err := c.Exec(ctx, &cri.ExecRequest{
			ContainerId: id, Cmd: words, Stdin: *in, Stdout: true, Stderr: !*tty, Tty: *tty,
		})
		if err != nil {
			return err
		}
		return stream(answer.Url, input(*in), *tty)
	}
	commands["attach"] = func(ctx context.Context, c *client, words []string) error {
		in := c.flags.Bool("i", false, "stdin")
		tty := c.flags.Bool("t", false, "a terminal")
		c.flags.Parse(words)
		answer, err := c.Attach(ctx, &cri.AttachRequest{
			ContainerId: c.flags.Arg(0), Stdin: *in, Stdout: true, Stderr: !*tty, Tty: *tty,
		})
		if err != nil {
			return err
		}
		return stream(answer.Url, input(*in), *tty)
	}
	commands["port-forward"] = func(ctx context.Context, c *client, words []string) error {
		answer, err := c.PortForward(ctx, &cri.PortForwardRequest{PodSandboxId: words[0]})
		if err != nil {
			return err
		}
		where, err := url.Parse(answer.Url)
		if err != nil {
			return err
		}
		transport, upgrader, err := spdy.RoundTripperFor(&restclient.Config{})
		if err != nil {
			return err
		}
		dialer := spdy.NewDialer(upgrader, &http.Client{Transport: transport}, "POST", where)
		stop, ready := make(chan struct{}), make(chan struct{})
		forwarder, err := portforward.New(dialer, words[1:], stop, ready, os.Stdout, os.Stderr)
		if err != nil {
			return err
		}
		return forwarder.ForwardPorts()
	}
	commands["logs"] = func(ctx context.Context, c *client, words []string) error {
		follow := c.flags.Bool("f", false, "follow")
		c.flags.Parse(words)
		id := c.flags.Arg(0)
		status, err := c.ContainerStatus(ctx, &cri.ContainerStatusRequest{ContainerId: id})
		if err != nil {
			return err
		}
		file, err := os.Open(status.Status.LogPath)
		if err != nil {
			return err
		}
		reader := bufio.NewReader(file)
		for {
			line, err := reader.ReadString('\n')
			if parts := strings.SplitN(line, " ", 4); err == nil && len(parts) == 4 {
				fmt.Print(parts[3])
				continue
			}
			if err != io.EOF || !*follow || status.Status.State == cri.ContainerState_CONTAINER_EXITED {
				return nil
			}
			time.Sleep(50 * time.Millisecond)
			status, err = c.ContainerStatus(ctx, &cri.ContainerStatusRequest{ContainerId: id})
			if err != nil {
				return err
			}
		}
	}
}

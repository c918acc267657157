package main

import (
	"context"
	"fmt"

	cri "k8s.io/cri-api/pkg/apis/runtime/v1"
)

func init() {
	commands["version"] = func(ctx context.Context, c *client, _ []string) error {
		answer, err := c.Version(ctx, &cri.VersionRequest{Version: "0.1.0"})
		if err != nil {
			return err
		}
		fmt.Printf("Version:  %s\nRuntimeName:  %s\n", answer.Version, answer.RuntimeName)
		fmt.Printf("RuntimeVersion:  %s\n", answer.RuntimeVersion)
		fmt.Printf("RuntimeApiVersion:  %s\n", answer.RuntimeApiVersion)
		return nil
	}
	commands["info"] = func(ctx context.Context, c *client, _ []string) error {
		answer, err := c.Status(ctx, &cri.StatusRequest{Verbose: true})
		if err != nil {
			return err
		}
		return show(answer)
	}
	commands["pull"] = func(ctx context.Context, c *client, words []string) error {
		answer, err := c.images.PullImage(ctx, &cri.PullImageRequest{Image: &cri.ImageSpec{Image: words[0]}})
		if err != nil {
			return err
		}
		fmt.Println("Image is up to date for " + answer.ImageRef)
		return nil
	}
	commands["images"] = func(ctx context.Context, c *client, words []string) error {
		c.flags.Bool("q", false, "ids only")
		c.flags.Parse(words)
		answer, err := c.images.ListImages(ctx, &cri.ListImagesRequest{})
		if err != nil {
			return err
		}
		for _, one := range answer.Images {
			fmt.Println(one.Id)
		}
		return nil
	}
	commands["inspecti"] = func(ctx context.Context, c *client, words []string) error {
		spec := &cri.ImageSpec{Image: words[0]}
		answer, err := c.images.ImageStatus(ctx, &cri.ImageStatusRequest{Image: spec, Verbose: true})
		if err == nil && answer.Image == nil {
			err = fmt.Errorf("no such image %q present", words[0])
		}
		if err != nil {
			return err
		}
		return show(map[string]interface{}{"status": answer.Image, "info": answer.Info})
	}
	commands["rmi"] = func(ctx context.Context, c *client, words []string) error {
		return each("Deleted:", words, func(name string) error {
			_, err := c.images.RemoveImage(ctx, &cri.RemoveImageRequest{Image: &cri.ImageSpec{Image: name}})
			return err
		})
	}
	commands["imagefsinfo"] = func(ctx context.Context, c *client, _ []string) error {
		answer, err := c.images.ImageFsInfo(ctx, &cri.ImageFsInfoRequest{})
		if err != nil {
			return err
		}
		return show(answer)
	}
	commands["runp"] = func(ctx context.Context, c *client, words []string) error {
		request := &cri.RunPodSandboxRequest{Config: &cri.PodSandboxConfig{}}
		if err := read(words[0], request.Config); err != nil {
			return err
		}
		answer, err := c.RunPodSandbox(ctx, request)
		if err == nil {
			fmt.Println(answer.PodSandboxId)
		}
		return err
	}
	commands["create"] = func(ctx context.Context, c *client, words []string) error {
		request := &cri.CreateContainerRequest{
			PodSandboxId: words[0], Config: &cri.ContainerConfig{}, SandboxConfig: &cri.PodSandboxConfig{},
		}
		if err := read(words[1], request.Config); err != nil {
			return err
		}
		if err := read(words[2], request.SandboxConfig); err != nil {
			return err
		}
		answer, err := c.CreateContainer(ctx, request)
		if err == nil {
			fmt.Println(answer.ContainerId)
		}
		return err
	}
	commands["start"] = func(ctx context.Context, c *client, words []string) error {
		_, err := c.StartContainer(ctx, &cri.StartContainerRequest{ContainerId: words[0]})
		if err == nil {
			fmt.Println(words[0])
		}
		return err
	}
	commands["update"] = func(ctx context.Context, c *client, words []string) error {
		shares := c.flags.Int64("cpu-share", 0, "")
		c.flags.Parse(words)
		_, err := c.UpdateContainerResources(ctx, &cri.UpdateContainerResourcesRequest{
			ContainerId: c.flags.Arg(0), Linux: &cri.LinuxContainerResources{CpuShares: *shares},
		})
		return err
	}
	commands["pods"] = func(ctx context.Context, c *client, words []string) error {
		c.flags.Bool("q", false, "ids only")
		name := c.flags.String("name", "", "")
		state := c.flags.String("state", "", "")
		c.flags.Parse(words)
		filter := &cri.PodSandboxFilter{}
		if *state != "" {
			value := cri.PodSandboxState_SANDBOX_READY
			if *state != "ready" {
				value = cri.PodSandboxState_SANDBOX_NOTREADY
			}
			filter.State = &cri.PodSandboxStateValue{State: value}
		}
		answer, err := c.ListPodSandbox(ctx, &cri.ListPodSandboxRequest{Filter: filter})
		if err != nil {
			return err
		}
		for _, one := range answer.Items {
			if *name == "" || one.Metadata.Name == *name {
				fmt.Println(one.Id)
			}
		}
		return nil
	}
	commands["ps"] = func(ctx context.Context, c *client, words []string) error {
		c.flags.Bool("q", false, "ids only")
		all := c.flags.Bool("a", false, "ended ones too")
		pod := c.flags.String("p", "", "pod")
		c.flags.Parse(words)
		filter := &cri.ContainerFilter{PodSandboxId: *pod}
		if !*all {
			filter.State = &cri.ContainerStateValue{State: cri.ContainerState_CONTAINER_RUNNING}
		}
		answer, err := c.ListContainers(ctx, &cri.ListContainersRequest{Filter: filter})
		if err != nil {
			return err
		}
		for _, one := range answer.Containers {
			fmt.Println(one.Id)
		}
		return nil
	}
	commands["inspect"] = func(ctx context.Context, c *client, words []string) error {
		answer, err := c.ContainerStatus(ctx, &cri.ContainerStatusRequest{ContainerId: words[0], Verbose: true})
		if err != nil {
			return err
		}
		return show(answer)
	}
	commands["inspectp"] = func(ctx context.Context, c *client, words []string) error {
		answer, err := c.PodSandboxStatus(ctx, &cri.PodSandboxStatusRequest{PodSandboxId: words[0], Verbose: true})
		if err != nil {
			return err
		}
		return show(answer)
	}
	commands["stats"] = func(ctx context.Context, c *client, words []string) error {
		c.flags.String("o", "json", "")
		c.flags.Parse(words)
		filter := &cri.ContainerStatsFilter{Id: c.flags.Arg(0)}
		answer, err := c.ListContainerStats(ctx, &cri.ListContainerStatsRequest{Filter: filter})
		if err != nil {
			return err
		}
		return show(answer)
	}
	commands["stop"] = func(ctx context.Context, c *client, words []string) error {
		seconds := c.flags.Int64("t", 0, "timeout")
		c.flags.Parse(words)
		return each("", c.flags.Args(), func(id string) error {
			_, err := c.StopContainer(ctx, &cri.StopContainerRequest{ContainerId: id, Timeout: *seconds})
			return err
		})
	}
	commands["rm"] = func(ctx context.Context, c *client, words []string) error {
		return each("", words, func(id string) error {
			_, err := c.RemoveContainer(ctx, &cri.RemoveContainerRequest{ContainerId: id})
			return err
		})
	}
	commands["stopp"] = func(ctx context.Context, c *client, words []string) error {
		return each("Stopped sandbox", words, func(id string) error {
			_, err := c.StopPodSandbox(ctx, &cri.StopPodSandboxRequest{PodSandboxId: id})
			return err
		})
	}
	commands["rmp"] = func(ctx context.Context, c *client, words []string) error {
		return each("Removed sandbox", words, func(id string) error {
			_, err := c.RemovePodSandbox(ctx, &cri.RemovePodSandboxRequest{PodSandboxId: id})
			return err
		})
	}
}

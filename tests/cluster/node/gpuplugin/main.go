// Command gpuplugin is a kubelet device plugin that advertises GPUs and owns none, so that GPU scheduling can be tested
// with the real scheduler and the real kubelet on any machine.
package main

import (
	"context"
	"flag"
	"log"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

func main() {
	resource := flag.String("resource", "nvidia.com/gpu", "extended resource to advertise")
	count := flag.Int("count", 4, "how many devices to advertise")
	directory := flag.String("directory", "/var/lib/kubelet/device-plugins", "the kubelet's device plugin folder")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	socket := filepath.Join(*directory, "turnout-gpu.sock")
	defer os.Remove(socket)
	for ctx.Err() == nil {
		if err := serveOnce(ctx, *directory, socket, *resource, newPlugin(*count)); err != nil {
			log.Printf("not registered, trying again: %v", err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(500 * time.Millisecond):
		}
	}
}

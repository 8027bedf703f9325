// Command bare is what the benchmarks measure Bucketgate's protocol against:
// mcp-go's own server on stdin and stdout, with one tool that does nothing.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"
)

func main() {
	s := server.NewMCPServer("bare", "dev", server.WithToolCapabilities(false))
	s.AddTool(mcp.NewTool("nothing", mcp.WithDescription("Does nothing.")), nothing)
	if err := server.ServeStdio(s); err != nil {
		fmt.Fprintln(os.Stderr, "bare:", err)
		os.Exit(1)
	}
}

func nothing(context.Context, mcp.CallToolRequest) (*mcp.CallToolResult, error) {
	return mcp.NewToolResultText(""), nil
}

// pulumi-language-python for an engine that was built from its Go module and brings none.
//
// It does what the launcher of Pulumi's own downloads does (pulumi/pulumi, sdk/python/cmd/pulumi-language-python), with
// the parts that Pulumi's SDK has for it: the toolchain that finds and activates a virtual environment, the executor
// `pulumi-language-python-exec` beside this program, and the proxy that gives a policy pack its stack's configuration.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"github.com/pulumi/pulumi/sdk/v3"
	"github.com/pulumi/pulumi/sdk/v3/go/common/util/rpcutil"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"github.com/pulumi/pulumi/sdk/v3/python/toolchain"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/emptypb"
)

const (
	executor = "pulumi-language-python-exec"
	// The executor's exit code for "the engine has been told what went wrong".
	logged = 32
	// How often the engine is asked whether it lives. Pulumi's own launcher asks every five minutes, and outlives an
	// engine that was killed for as long.
	askEngine = 2 * time.Second
)

type host struct {
	pulumirpc.UnimplementedLanguageRuntimeServer
	executor, engine string
	ctx              context.Context
	cancel           context.CancelFunc
}

func main() {
	if err := serve(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// serve answers the engine that started this program, whose address is the last argument, and ends with it.
func serve(args []string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	h := &host{executor: filepath.Join(filepath.Dir(self), executor), ctx: ctx, cancel: cancel}
	if _, err := os.Stat(h.executor); err != nil {
		return fmt.Errorf("missing executor: %w", err)
	}
	stop := make(chan bool)
	if len(args) > 0 {
		h.engine = args[len(args)-1]
		if err := rpcutil.Healthcheck(ctx, h.engine, askEngine, func() { close(stop) }); err != nil {
			return err
		}
		go endWith(os.Getppid())
	}
	handle, err := rpcutil.ServeWithOptions(rpcutil.ServeOptions{
		Cancel: stop,
		Init: func(server *grpc.Server) error {
			pulumirpc.RegisterLanguageRuntimeServer(server, h)
			return nil
		},
	})
	if err != nil {
		return err
	}
	fmt.Println(handle.Port)
	return <-handle.Done
}

// endWith ends this program when the process that started it is gone. A check of the engine's health that begins while
// the engine is being killed may never answer.
func endWith(parent int) {
	for os.Getppid() == parent {
		time.Sleep(askEngine)
	}
	// An engine that is ending by itself has asked to stop: let what runs end first.
	time.Sleep(askEngine)
	os.Exit(1)
}

// python is the environment that a project or a pack names.
func python(info *pulumirpc.ProgramInfo) (toolchain.Toolchain, error) {
	options := toolchain.PythonOptions{Root: info.GetRootDirectory(), ProgramDir: info.GetProgramDirectory()}
	given := info.GetOptions().AsMap()
	if environment, ok := given["virtualenv"].(string); ok {
		options.Virtualenv = environment
	}
	switch given["toolchain"] {
	case "pip":
		options.Toolchain = toolchain.Pip
	case "poetry":
		options.Toolchain = toolchain.Poetry
	case "uv":
		options.Toolchain = toolchain.Uv
	}
	return toolchain.ResolveToolchain(options)
}

// Run runs a program in a process of its own.
func (h *host) Run(ctx context.Context, req *pulumirpc.RunRequest) (*pulumirpc.RunResponse, error) {
	environment, err := python(req.Info)
	if err != nil {
		return nil, err
	}
	if err := environment.ValidateVenv(ctx); err != nil {
		return nil, err
	}
	running, cancel := context.WithCancel(h.ctx)
	defer cancel()
	context.AfterFunc(ctx, cancel)
	cmd, err := environment.Command(running, h.arguments(req)...)
	if err != nil {
		return nil, err
	}
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 5 * time.Second
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if cmd.Env == nil {
		cmd.Env = os.Environ()
	}
	config, err := json.Marshal(req.GetConfig())
	if err != nil {
		return nil, err
	}
	secrets, err := json.Marshal(append([]string{}, req.GetConfigSecretKeys()...))
	if err != nil {
		return nil, err
	}
	if req.GetConfig() != nil {
		cmd.Env = append(cmd.Env, "PULUMI_CONFIG="+string(config))
	}
	cmd.Env = append(cmd.Env, "PULUMI_CONFIG_SECRET_KEYS="+string(secrets))
	return outcome(cmd.Run()), nil
}

// outcome is what the engine is told of a program that ended: a fault that it knows already is only `Bail`.
func outcome(err error) *pulumirpc.RunResponse {
	var exit *exec.ExitError
	switch {
	case err == nil:
		return &pulumirpc.RunResponse{}
	case !errors.As(err, &exit):
		return &pulumirpc.RunResponse{Error: "problem executing program (could not run language executor): " + err.Error()}
	case exit.ExitCode() == logged:
		return &pulumirpc.RunResponse{Bail: true}
	}
	return &pulumirpc.RunResponse{Error: fmt.Sprintf("program exited with non-zero exit code: %d", exit.ExitCode())}
}

func (h *host) arguments(req *pulumirpc.RunRequest) []string {
	args := []string{h.executor}
	for _, pair := range [][2]string{
		{"--monitor", req.GetMonitorAddress()},
		{"--engine", h.engine},
		{"--project", req.GetProject()},
		{"--root_directory", req.GetInfo().RootDirectory},
		{"--stack", req.GetStack()},
		{"--pwd", req.GetPwd()},
		{"--dry_run", strconv.FormatBool(req.GetDryRun())},
		{"--parallel", strconv.Itoa(int(req.GetParallel()))},
		{"--organization", req.GetOrganization()},
	} {
		if pair[1] != "" {
			args = append(args, pair[0], pair[1])
		}
	}
	return append(append(args, req.Info.EntryPoint), req.GetArgs()...)
}

// RunPlugin runs a policy pack in its own folder, which learns of the stack from its environment, or a provider of
// components, which learns of it from the engine.
func (h *host) RunPlugin(req *pulumirpc.RunPluginRequest, server pulumirpc.LanguageRuntime_RunPluginServer) error {
	ctx := server.Context()
	environment, err := python(req.Info)
	if err != nil {
		return err
	}
	var cmd *exec.Cmd
	switch req.Kind {
	case "analyzer":
		args := append([]string{"-u", "-m", "pulumi.policy"}, req.Args...)
		cmd, err = environment.Command(ctx, append(args, req.Info.ProgramDirectory)...)
	case "resource":
		cmd, err = environment.Command(ctx, append([]string{req.Info.ProgramDirectory}, req.Args...)...)
	default:
		return fmt.Errorf("the local cloud runs no plugin of kind %q in Python: bring the official CLI", req.Kind)
	}
	if err != nil {
		return err
	}
	streams, stdout, stderr, err := rpcutil.MakeRunPluginStreams(server, false)
	if err != nil {
		return err
	}
	defer streams.Close()
	if req.Kind == "analyzer" {
		cmd.Dir = req.Info.ProgramDirectory
		err = runPack(ctx, cmd, req.Env, stdout, stderr)
	} else {
		cmd.Dir = req.Pwd
		cmd.Env = append(cmd.Env, req.Env...)
		cmd.Stdout, cmd.Stderr = stdout, stderr
		err = cmd.Run()
	}
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		code := &pulumirpc.RunPluginResponse_Exitcode{Exitcode: int32(exit.ExitCode())}
		return server.Send(&pulumirpc.RunPluginResponse{Output: code})
	}
	if err != nil {
		return fmt.Errorf("problem executing plugin program: %w", err)
	}
	return streams.Close()
}

// runPack runs a policy pack once the engine has told of the stack that it looks at.
func runPack(ctx context.Context, cmd *exec.Cmd, env []string, stdout, stderr io.Writer) error {
	proxy, stdout, err := sdk.NewPolicyProxy(ctx, stdout)
	if err != nil {
		return err
	}
	stack, err := proxy.AwaitConfiguration(ctx)
	if err != nil {
		return err
	}
	about, err := aboutStack(stack)
	if err != nil {
		return err
	}
	cmd.Env = append(append(cmd.Env, about...), env...)
	cmd.Stdout, cmd.Stderr = stdout, stderr
	if err := cmd.Start(); err != nil {
		return err
	}
	return proxy.Attach(ctx, cmd)
}

// InstallDependencies makes the environment that a project or a plugin names.
func (h *host) InstallDependencies(
	req *pulumirpc.InstallDependenciesRequest, server pulumirpc.LanguageRuntime_InstallDependenciesServer,
) error {
	environment, err := python(req.Info)
	if err != nil {
		return err
	}
	streams, stdout, stderr, err := rpcutil.MakeInstallDependenciesStreams(server, req.IsTerminal)
	if err != nil {
		return err
	}
	defer streams.Close()
	folder := req.Info.ProgramDirectory
	if err := environment.InstallDependencies(
		server.Context(), folder, req.UseLanguageVersionTools, true, stdout, stderr,
	); err != nil {
		return err
	}
	return streams.Close()
}

// aboutStack is the part of a policy pack's environment that says which stack it looks at.
func aboutStack(stack *pulumirpc.AnalyzerStackConfigureRequest) ([]string, error) {
	if stack == nil {
		return nil, nil
	}
	about := []string{"PULUMI_DRY_RUN=" + strconv.FormatBool(stack.DryRun)}
	for _, pair := range [][2]string{
		{"PULUMI_ORGANIZATION", stack.Organization},
		{"PULUMI_PROJECT", stack.Project},
		{"PULUMI_STACK", stack.Stack},
	} {
		if pair[1] != "" {
			about = append(about, pair[0]+"="+pair[1])
		}
	}
	if stack.Config == nil {
		return about, nil
	}
	config, err := json.Marshal(stack.Config)
	return append(about, "PULUMI_CONFIG="+string(config)), err
}

func (h *host) GetRequiredPackages(
	context.Context, *pulumirpc.GetRequiredPackagesRequest,
) (*pulumirpc.GetRequiredPackagesResponse, error) {
	// The local cloud's providers are written, not downloaded.
	return &pulumirpc.GetRequiredPackagesResponse{}, nil
}

func (h *host) GetRequiredPlugins(
	context.Context, *pulumirpc.GetRequiredPluginsRequest,
) (*pulumirpc.GetRequiredPluginsResponse, error) {
	return &pulumirpc.GetRequiredPluginsResponse{}, nil
}

func (h *host) Handshake(
	_ context.Context, req *pulumirpc.LanguageHandshakeRequest,
) (*pulumirpc.LanguageHandshakeResponse, error) {
	h.engine = req.EngineAddress
	return &pulumirpc.LanguageHandshakeResponse{}, nil
}

func (h *host) GetPluginInfo(context.Context, *emptypb.Empty) (*pulumirpc.PluginInfo, error) {
	return &pulumirpc.PluginInfo{}, nil
}

func (h *host) Cancel(context.Context, *emptypb.Empty) (*emptypb.Empty, error) {
	h.cancel()
	return &emptypb.Empty{}, nil
}

func (h *host) About(ctx context.Context, req *pulumirpc.AboutRequest) (*pulumirpc.AboutResponse, error) {
	environment, err := python(req.GetInfo())
	if err != nil {
		return nil, err
	}
	info, err := environment.About(ctx)
	if err != nil {
		return nil, err
	}
	return &pulumirpc.AboutResponse{Executable: info.PythonExecutable, Version: info.PythonVersion.String()}, nil
}

func (h *host) GetProgramDependencies(
	ctx context.Context, req *pulumirpc.GetProgramDependenciesRequest,
) (*pulumirpc.GetProgramDependenciesResponse, error) {
	environment, err := python(req.Info)
	if err != nil {
		return nil, err
	}
	listed, err := environment.ListPackages(ctx, req.TransitiveDependencies)
	found := make([]*pulumirpc.DependencyInfo, 0, len(listed))
	for _, one := range listed {
		found = append(found, &pulumirpc.DependencyInfo{Name: one.Name, Version: one.Version})
	}
	return &pulumirpc.GetProgramDependenciesResponse{Dependencies: found}, err
}

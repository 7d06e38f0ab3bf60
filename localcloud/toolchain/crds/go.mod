module india-ai-infra/localcloud/toolchain/crds

go 1.26.0

require (
	github.com/aws/karpenter-provider-aws v1.14.1
	github.com/kedacore/keda/v2 v2.20.2
	github.com/kubeflow/trainer/v2 v2.3.0
	sigs.k8s.io/karpenter v1.14.1
	sigs.k8s.io/kueue v0.19.2
)

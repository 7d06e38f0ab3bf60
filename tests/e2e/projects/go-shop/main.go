// A shop of another team: another language, and not even the SDK of its cloud. Its stack dev is as shops often are,
// its stack prod as the pack would have it; they differ in their settings alone.
package main

import (
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi/config"
)

const tlsOnly = `{"Version": "2012-10-17", "Statement": [{"Sid": "TlsOnly", "Effect": "Deny", "Principal": "*",
"Action": "s3:*", "Resource": ["%[1]s", "%[1]s/*"], "Condition": {"Bool": {"aws:SecureTransport": "false"}}}]}`

func main() {
	pulumi.Run(func(ctx *pulumi.Context) error {
		shop := &shop{ctx: ctx, settings: config.New(ctx, "")}
		shop.make()
		return shop.err
	})
}

type shop struct {
	ctx      *pulumi.Context
	settings *config.Config
	err      error
}

func (s *shop) make() {
	suffix := s.register("random:index/randomId:RandomId", "suffix", pulumi.Map{"byteLength": pulumi.Int(4)})
	s.cloud("aws:cloudwatch/logGroup:LogGroup", "orders", pulumi.Map{
		"name":            pulumi.Sprintf("/shop/orders-%s", suffix.Hex),
		"retentionInDays": pulumi.Int(s.settings.RequireInt("logDays")),
		"tags":            pulumi.StringMap{"dpdp:data-class": pulumi.String("internal")},
	})
	uploads := s.cloud("aws:s3/bucket:Bucket", "uploads", pulumi.Map{
		"bucket": pulumi.Sprintf("uploads-%s", suffix.Hex),
		"tags":   pulumi.StringMap{"dpdp:data-class": pulumi.String("internal")},
	})
	if s.settings.GetBool("guarded") {
		s.guard(uploads)
	}
}

// What belongs to a bucket is told by outputs of others, which a preview does not know.
func (s *shop) guard(bucket *resource) {
	key := s.cloud("aws:kms/key:Key", "key", pulumi.Map{
		"enableKeyRotation": pulumi.Bool(true), "deletionWindowInDays": pulumi.Int(30),
	})
	s.cloud("aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration", "uploads",
		pulumi.Map{"bucket": bucket.ID(), "rules": pulumi.Array{pulumi.Map{
			"bucketKeyEnabled":                   pulumi.Bool(true),
			"applyServerSideEncryptionByDefault": pulumi.Map{"sseAlgorithm": pulumi.String("aws:kms"), "kmsMasterKeyId": key.Arn},
		}}})
	s.cloud("aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock", "uploads", pulumi.Map{
		"bucket": bucket.ID(), "blockPublicAcls": pulumi.Bool(true), "blockPublicPolicy": pulumi.Bool(true),
		"ignorePublicAcls": pulumi.Bool(true), "restrictPublicBuckets": pulumi.Bool(true),
	})
	s.cloud("aws:s3/bucketPolicy:BucketPolicy", "uploads", pulumi.Map{
		"bucket": bucket.ID(), "policy": pulumi.Sprintf(tlsOnly, bucket.Arn),
	})
}

// A resource with the outputs that others are made from.
type resource struct {
	pulumi.CustomResourceState
	Arn pulumi.StringOutput `pulumi:"arn"`
	Hex pulumi.StringOutput `pulumi:"hex"`
}

func (s *shop) cloud(token, name string, inputs pulumi.Map) *resource {
	inputs["region"] = pulumi.String(s.settings.Require("region"))
	return s.register(token, name, inputs)
}

func (s *shop) register(token, name string, inputs pulumi.Map) *resource {
	made := &resource{}
	if s.err == nil {
		s.err = s.ctx.RegisterResource(token, name, inputs, made)
	}
	return made
}

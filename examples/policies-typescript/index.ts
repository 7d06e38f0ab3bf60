// Two resources of a shop: as they are, several policies find something.
import * as aws from "@pulumi/aws";

const abroad = new aws.Provider("singapore", { region: "ap-southeast-1" });

const uploads = new aws.s3.Bucket("uploads", { tags: { owner: "shop" } }, { provider: abroad });

const orders = new aws.cloudwatch.LogGroup("orders", { retentionInDays: 30 }, { provider: abroad });

export const bucket = uploads.bucket;
export const logs = orders.name;

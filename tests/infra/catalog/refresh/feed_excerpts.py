"""Cut by hand from the public feeds, in their forms: facts of a few machines in India and one elsewhere."""

from __future__ import annotations

import json
from typing import Any


def spotlake_row(name: str, zone: str, score: int, listed: float, spot: Any, **other: Any) -> dict[str, Any]:
    return {
        "InstanceType": name,
        "Region": "ap-south-1",
        "AZ": zone,
        "SPS": score,
        "T3": 0,
        "T2": 0,
        "IF": 3.0,
        "OndemandPrice": listed,
        "SpotPrice": spot,
        "Savings": 0,
        "Time": "2026-11-28 23:50:00",
        "id": 1,
        **other,
    }


SPOTLAKE = [
    spotlake_row("a1.2xlarge", "apne1-az2", 1, 0.2568, 0.2568, Region="ap-northeast-1"),
    spotlake_row("g6f.4xlarge", "aps1-az1", 1, 1.14076, 1.1408),
    spotlake_row("g6f.4xlarge", "aps1-az3", 2, 1.14076, 0.3),
    spotlake_row("p5.48xlarge", "aps1-az1", 1, 66.048, 18.5941),
    spotlake_row("p5.48xlarge", "aps1-az2", 1, 66.048, -1),
]
SKYPILOT = """\
InstanceType,AcceleratorName,AcceleratorCount,vCPUs,MemoryGiB,GpuInfo,Price,SpotPrice,Region,AvailabilityZone,Arch
a1.2xlarge,,,8.0,16.0,,0.2568,0.256800,ap-northeast-1,apne1-az2,arm64
g4dn.metal,T4,8.0,96.0,384.0,,8.612,4.038300,ap-south-1,aps1-az1,x86_64
g4dn.metal,T4,8.0,96.0,384.0,,8.612,,ap-south-1,aps1-az2,x86_64
p5.48xlarge,H100,8.0,192.0,2048.0,,66.048,19.821000,ap-south-1,aps1-az2,x86_64
"""
ADVISOR = {
    "instance_types": {"g5.2xlarge": {"emr": True, "cores": 8, "ram_gb": 32.0}},
    "ranges": [
        {"index": 0, "label": "<5%", "dots": 0, "max": 5},
        {"index": 1, "label": "5-10%", "dots": 1, "max": 11},
        {"index": 2, "label": "10-15%", "dots": 2, "max": 16},
        {"index": 3, "label": "15-20%", "dots": 3, "max": 22},
        {"index": 4, "label": ">20%", "dots": 4, "max": 100},
    ],
    "global_rate": "<10%",
    "spot_advisor": {
        "ap-south-1": {
            "Linux": {"g5.12xlarge": {"s": 41, "r": 2}, "g6.48xlarge": {"s": 61, "r": 4}},
            "Windows": {"g5.12xlarge": {"s": 1, "r": 0}},
        },
        "ap-south-2": {"Linux": {"g6e.xlarge": {"s": 60, "r": 1}}},
    },
}


def size(name: str, linux: str) -> dict[str, Any]:
    columns = [{"name": "linux", "prices": {"USD": linux}}, {"name": "mswin", "prices": {"USD": "N/A*"}}]
    return {"size": name, "valueColumns": columns}


SPOT_TABLE = {
    "vers": 0.01,
    "config": {
        "rate": "perhr",
        "valueColumns": ["linux", "mswin"],
        "currencies": ["USD"],
        "regions": [
            {
                "region": "ap-south-1",
                "footnotes": {"*": "notAvailableForCCorCGPU"},
                "instanceTypes": [
                    {"type": "generalPreviousGen", "sizes": []},
                    {"type": "gpuInstances", "sizes": [size("p5.48xlarge", "12.5591")]},
                ],
            },
            {
                "region": "ap-south-2",
                "instanceTypes": [
                    {
                        "type": "gpuInstances",
                        "sizes": [size("g6e.xlarge", "0.7"), size("g6e.2xlarge", "N/A*")],
                    },
                    {"type": "generalCurrentGen", "sizes": [size("m6i.large", "0.0944")]},
                ],
            },
        ],
    },
}
GOOGLE = {
    "prices": {
        "africa-south1": {"on_demand": {"e2-micro": 0.0092144325}, "spot": {"e2-micro": 0.0032935}},
        "asia-south1": {
            "on_demand": {"g2-standard-4": 0.848371, "a3-highgpu-8g": 101.5},
            "spot": {"g2-standard-4": 0.3393484},
        },
    }
}
ECB = """\
<?xml version="1.0" encoding="UTF-8"?>
<gesmes:Envelope xmlns:gesmes="http://www.gesmes.org/xml/2002-08-01" xmlns="http://www.ecb.int/vocabulary/2002-08-01/eurofxref">
  <gesmes:subject>Reference rates</gesmes:subject>
  <gesmes:Sender><gesmes:name>European Central Bank</gesmes:name></gesmes:Sender>
  <Cube>
    <Cube time='2026-11-30'>
      <Cube currency='USD' rate='1.1130'/>
      <Cube currency='JPY' rate='171.29'/>
      <Cube currency='INR' rate='106.0345'/>
    </Cube>
  </Cube>
</gesmes:Envelope>
"""
FBIL = [
    {"processRunDate": "2026-11-23 13:30:00", "displayTime": "", "subProdName": "INR / 1 USD", "rate": 95.1},
    {"processRunDate": "2026-11-24 13:30:00", "displayTime": "", "subProdName": "INR / 1 USD", "rate": 95.2},
    {"processRunDate": "2026-11-24 13:30:00", "displayTime": "", "subProdName": "INR / 1 EUR", "rate": 106.0},
]
ALL = {
    "latest_aws.json": json.dumps(SPOTLAKE).encode(),
    "aws/vms.csv": SKYPILOT.encode(),
    "spot.json": json.dumps(SPOT_TABLE).encode(),
    "spot-advisor-data.json": json.dumps(ADVISOR).encode(),
    "initial-prices.json": json.dumps(GOOGLE).encode(),
    "eurofxref-daily.xml": ECB.encode(),
}

"""One streamed answer by OpenAI's own client: `python openai_client.py URL MODEL PROMPT`, a line of JSON for each part.

Runs in the environment of workloads/serving/requirements.txt.
"""

import json
import sys

from openai import OpenAI

url, model, prompt = sys.argv[1:]
client = OpenAI(base_url=url, api_key="none", max_retries=0, timeout=120)
asked = [{"role": "user", "content": prompt}]
for part in client.chat.completions.create(
    model=model, messages=asked, stream=True, temperature=0, max_tokens=100
):
    for choice in part.choices:
        print(json.dumps({"text": choice.delta.content or "", "end": choice.finish_reason}), flush=True)

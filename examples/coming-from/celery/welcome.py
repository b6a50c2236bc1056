import json
import os
import urllib.error
import urllib.request

from celery import Celery

app = Celery("welcome", broker=os.environ["REDIS_URL"], backend=os.environ["REDIS_URL"])
app.conf.update(task_acks_late=True, task_reject_on_worker_lost=True, worker_prefetch_multiplier=1)


@app.task(autoretry_for=(Exception,), max_retries=2, retry_backoff=1)
def welcome(to):
    body = json.dumps({"to": to}).encode()
    try:
        with urllib.request.urlopen(os.environ["PROVIDER_URL"], data=body) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        # Celery cannot retry what it cannot pickle.
        raise RuntimeError(f"the provider answered {error.code}") from None

"""Serves runs of one task from Python: see docs/recipes/serve-a-task-in-another-language.md"""
import asyncio, datetime, json, os, urllib.error, urllib.request
from temporalio import activity, client, exceptions, worker

TASK = os.environ.get("TASK", "my-chat")
KEY = os.environ["TRIGGER_SECRET_KEY"]  # tr_dev_...: its prefix names the environment
BEAT = datetime.timedelta(seconds=0.5)  # a run whose worker is silent for three seconds is given to another

def claim(api, attempt):
    """From a granted claim on, this attempt alone may write for the session."""
    headers = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}
    body = json.dumps({"attempt": attempt}).encode()
    try:
        with urllib.request.urlopen(urllib.request.Request(api["url"] + api["claim"], body, headers), timeout=10) as reply:
            return json.load(reply)
    except urllib.error.HTTPError as error:  # 4xx is final; anything else becomes another attempt
        raise exceptions.ApplicationError(f"claim: {error}", type="ClaimRefused", non_retryable=error.code < 500)

async def beat():
    while True:
        activity.heartbeat()
        await asyncio.sleep(BEAT.total_seconds())

@activity.defn(name=TASK)
async def serve(run):
    beating = asyncio.create_task(beat())
    try:
        granted = await asyncio.to_thread(claim, run["api"], activity.info().attempt)
        await asyncio.sleep(run["payload"].get("seconds", 5))  # the task's own work; a cancel is raised here
        return {"servedBy": "python", "session": run["session"]["key"], "attempt": granted["attempt"]}
    finally:
        beating.cancel()

async def main():
    address, namespace = os.environ.get("TEMPORAL_ADDRESS", "127.0.0.1:7233"), os.environ.get("TEMPORAL_NAMESPACE", "default")
    queue = f"{KEY.split('_')[1]}/task/{TASK}"
    throttle = {"max_heartbeat_throttle_interval": BEAT, "default_heartbeat_throttle_interval": BEAT}
    polls = worker.PollerBehaviorAutoscaling(initial=1)  # each open poll of a worker that is paused swallows an attempt
    temporal = await client.Client.connect(address, namespace=namespace)
    print(f"tasks ready: {TASK} on {queue}", flush=True)
    await worker.Worker(temporal, task_queue=queue, activities=[serve], activity_task_poller_behavior=polls, **throttle).run()

asyncio.run(main())

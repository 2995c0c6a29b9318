"""Serves conversations of one task from Python: see docs/recipes/serve-a-task-in-another-language.md"""
import asyncio, datetime, json, os, threading, urllib.error, urllib.request
from temporalio import activity, client, exceptions, worker

TASK = os.environ.get("TASK", "my-chat")
KEY = os.environ["TRIGGER_SECRET_KEY"]  # tr_dev_...: its prefix names the environment
BEAT = datetime.timedelta(seconds=0.5)  # a run whose worker is silent for three seconds is given to another

def ask(url, key, body=None, **headers):
    """An answer of the server. 4xx is final; anything else becomes another attempt, which goes on where this one was."""
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json", **headers}
    data = None if body is None else json.dumps(body).encode()
    try:
        return urllib.request.urlopen(urllib.request.Request(url, data, headers), timeout=20)
    except urllib.error.HTTPError as error:
        text = f"{url}: {error} {error.read(500)}"
        raise exceptions.ApplicationError(text, type="ClaimRefused", non_retryable=error.code < 500) from error

def converse(run, attempt, stopped):
    """Claims the run, answers each message, and ends when none came for the idle timeout or somebody said stop."""
    url, streams = run["api"]["url"], f"{run['api']['url']}/realtime/v1/sessions/{run['session']['id']}"
    # From a granted claim on, this attempt alone may write for the session, with a key of its own.
    claim = json.load(ask(url + run["api"]["claim"], KEY, {"attempt": attempt}))
    after = {"Last-Event-ID": str(claim["cursor"] - 1)} if claim["cursor"] else {}
    idle = {"Timeout-Seconds": str(min(run["idleTimeoutInSeconds"] or 30, 600))}
    answered, line = 0, b""
    with ask(f"{streams}/in", claim["attemptKey"], **after, **idle) as tail:
        for line in tail:  # the server pings every five seconds, and says [DONE] when nothing came for the timeout
            if stopped.is_set() or line == b"data: [DONE]\n":
                break
            for record in json.loads(line[6:]).get("records", []) if line.startswith(b"data: {") else []:
                seq, message = record["seq_num"], json.loads(record["body"])
                if message["id"] == "session-end":
                    stopped.set()  # the server's own word that the session was closed
                    break
                # Ids made of the message's seq: an attempt that is repeated adds nothing twice. The turn-complete
                # commits the cursor, so that no attempt and no later run is given this message again.
                end = [["trigger-control", "turn-complete"], ["session-in-event-id", str(seq)]]
                answer = {"id": f"in-{seq}/0", "data": {"type": "text-delta", "delta": f"Python heard: {message['data']}"}}
                ask(f"{streams}/out/records", claim["attemptKey"], {"records": [answer, {"id": f"in-{seq}/end", "headers": end}]})
                answered += 1
        else:
            raise ConnectionError("the tail was cut off: another attempt goes on at the cursor")
    return {"servedBy": "python", "session": run["session"]["key"], "attempt": claim["attempt"], "answered": answered}

async def beat():
    while True:
        activity.heartbeat()
        await asyncio.sleep(BEAT.total_seconds())

@activity.defn(name=TASK)
async def serve(run):
    beating, stopped = asyncio.create_task(beat()), threading.Event()
    try:
        return await asyncio.to_thread(converse, run, activity.info().attempt, stopped)  # a cancel is raised here
    finally:
        stopped.set()
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

/** A server of its own that speaks S3 and checks signatures (moto, from PyPI), with one bucket and one user. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { AwsClient } from 'aws4fetch';
import type { S3Bucket } from '../../src/storage/s3-objects.ts';
import { freePort } from './free-port.ts';
import { endWithUs } from './private-temporal.ts';
import { commonVariables } from './processes.ts';
import { installPython } from './python-packages.ts';

export interface ObjectStoreServer extends S3Bucket {
  /** Keys in the bucket. */
  list(): Promise<readonly string[]>;
  /** SIGSTOP: connections are taken, nothing answers. */
  pause(): void;
  resume(): void;
  stop(): Promise<void>;
}

const requirementsFile = fileURLToPath(new URL('object-store/requirements.txt', import.meta.url));
/** The user, its key and its policy are made without any right; whatever comes later is checked. */
const callsBeforeRights = 3;
const startDeadlineMs = 60_000;

export async function startObjectStore(): Promise<ObjectStoreServer> {
  const folder = await mkdtemp(join(tmpdir(), 'perdure-objects-'));
  const port = await freePort();
  const child = spawn('python3', ['-m', 'moto.server', '-H', '127.0.0.1', '-p', String(port)], {
    stdio: 'ignore',
    cwd: folder,
    env: {
      ...commonVariables(),
      PYTHONPATH: await installPython(requirementsFile),
      PYTHONDONTWRITEBYTECODE: '1',
      INITIAL_NO_AUTH_ACTION_COUNT: String(callsBeforeRights),
    },
  });
  if (child.pid === undefined) throw new Error('python3 could not be started');
  const release = endWithUs(child.pid, folder);
  const exited = once(child, 'exit');
  const endpoint = `http://127.0.0.1:${port}`;
  const credentials = await makeUser(endpoint);
  const bucket = { endpoint, bucket: 'kept', region: 'eu-central-1', prefix: 'perdure/', ...credentials };
  const client = new AwsClient({ ...credentials, region: bucket.region, service: 's3' });
  const { status } = await client.fetch(`${endpoint}/${bucket.bucket}`, {
    method: 'PUT',
    body: `<CreateBucketConfiguration><LocationConstraint>${bucket.region}</LocationConstraint></CreateBucketConfiguration>`,
  });
  if (status !== 200) throw new Error(`the bucket could not be made: ${status}`);
  return {
    ...bucket,
    async list() {
      const listing = await (await client.fetch(`${endpoint}/${bucket.bucket}?list-type=2`)).text();
      return [...listing.matchAll(/<Key>([^<]+)<\/Key>/g)].map(([, key = '']) => key);
    },
    pause: () => void child.kill('SIGSTOP'),
    resume: () => void child.kill('SIGCONT'),
    async stop() {
      child.kill('SIGKILL');
      await exited;
      release();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function makeUser(endpoint: string): Promise<Pick<S3Bucket, 'accessKeyId' | 'secretAccessKey'>> {
  const order = ordersOf(endpoint);
  await order({ Action: 'CreateUser', UserName: 'perdure' });
  const key = await order({ Action: 'CreateAccessKey', UserName: 'perdure' });
  const policy = { Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action: 's3:*', Resource: '*' }] };
  await order({
    Action: 'PutUserPolicy',
    UserName: 'perdure',
    PolicyName: 'all',
    PolicyDocument: JSON.stringify(policy),
  });
  const between = (tag: string) => new RegExp(`<${tag}>([^<]+)<`).exec(key)?.[1] ?? '';
  return { accessKeyId: between('AccessKeyId'), secretAccessKey: between('SecretAccessKey') };
}

/** The first order is repeated until the server listens. */
function ordersOf(endpoint: string) {
  const client = new AwsClient({ accessKeyId: 'nobody', secretAccessKey: 'none', service: 'iam', region: 'us-east-1' });
  return async (parameters: Record<string, string>): Promise<string> => {
    const body = new URLSearchParams({ Version: '2010-05-08', ...parameters }).toString();
    const headers = { 'Content-Type': 'application/x-www-form-urlencoded' };
    for (const deadline = Date.now() + startDeadlineMs; ; await sleep(200)) {
      const answer = await client.fetch(endpoint, { method: 'POST', body, headers }).catch(() => null);
      if (answer?.status === 200) return answer.text();
      if (Date.now() > deadline) throw new Error(`the object store does not answer: ${answer?.status ?? 'nothing'}`);
    }
  };
}

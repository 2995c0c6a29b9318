/** Objects in a bucket of any store that speaks S3 (AWS, R2, MinIO, Ceph), addressed by path and signed with SigV4. */
import { AwsClient } from 'aws4fetch';
import { withinDeadline } from '../deadline.ts';
import { Unavailable } from '../domain/failure.ts';
import { objectStoreDeadlineMs } from '../domain/limits.ts';
import type { ObjectStore } from './snapshot-store.ts';

export interface S3Bucket {
  /** Without a trailing slash. */
  readonly endpoint: string;
  readonly bucket: string;
  readonly region: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** Goes before every name, which need no encoding either; empty or with a trailing slash. */
  readonly prefix: string;
}

/** Beyond the first; with the client's pauses all of them fit into the deadline. */
const repeats = 3;

export function s3Objects({ endpoint, bucket, prefix, ...credentials }: S3Bucket): ObjectStore {
  const client = new AwsClient({ ...credentials, service: 's3', retries: repeats });
  const call = async (name: string, init: RequestInit, taking?: Taking): Promise<Uint8Array | null> => {
    try {
      return await withinDeadline({ ms: objectStoreDeadlineMs }, async (signal) =>
        takeAnswer(await client.fetch(`${endpoint}/${bucket}/${prefix}${name}`, { ...init, signal }), taking),
      );
    } catch (cause) {
      throw new Unavailable('object store', cause);
    }
  };
  return {
    async put(name, { contentType, bytes }) {
      const body = Buffer.from(bytes.buffer as ArrayBuffer, bytes.byteOffset, bytes.byteLength);
      await call(name, { method: 'PUT', body, headers: { 'Content-Type': contentType } });
    },
    async get(name) {
      return call(name, { method: 'GET' }, { orAbsent: true });
    },
    async remove(name) {
      await call(name, { method: 'DELETE' }, { orAbsent: true });
    },
  };
}

interface Taking {
  /** That there is no object is an answer too. */
  readonly orAbsent: boolean;
}

/** The whole answer, so that its connection is free again; null for an absence that was asked about. */
async function takeAnswer(response: Response, taking?: Taking): Promise<Uint8Array | null> {
  const bytes = new Uint8Array(await response.arrayBuffer());
  if (response.ok) return bytes;
  if (taking?.orAbsent === true && response.status === 404) return null;
  throw new Error(`the object store answered ${response.status}`);
}

/**
 * Recorded histories: `histories/<version>/<shape>.json`, in the JSON that Temporal UI and `temporal workflow show`
 * write too, one event per line. A version's files are never rewritten: sessions of that version may still be open.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Client } from '@temporalio/client';
import type { temporal } from '@temporalio/proto';
import proto from '@temporalio/proto';
import { patchProtobufRoot } from '@temporalio/proto/lib/patch-protobuf-root.js';
import type { Execution } from '../workflows/wait.ts';

export type History = temporal.api.history.v1.IHistory;

export interface RecordedHistory {
  readonly version: string;
  readonly shape: string;
  readonly history: History;
}

const folder = fileURLToPath(new URL('./histories/', import.meta.url));
const repository = fileURLToPath(new URL('../../', import.meta.url));

/** Of all versions, oldest first. */
export function readHistories(): readonly RecordedHistory[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .toSorted()
    .flatMap((version) =>
      readdirSync(join(folder, version))
        .toSorted()
        .map((file) => ({
          version,
          shape: file.replace(/\.json$/, ''),
          history: historyOf(readFileSync(join(folder, version, file), 'utf8')),
        })),
    );
}

/** @returns false, with nothing written, when this version has the shape already */
export function writeHistory({ version, shape, history }: RecordedHistory): boolean {
  if (!/^v\d+$/.test(version)) throw new Error(`a version is v1, v2 and so on, not ${version}`);
  const path = join(folder, version, `${shape}.json`);
  if (existsSync(path)) return false;
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, textOf(history), { flag: 'wx' });
  return true;
}

export const fetchHistory = (client: Client, { workflowId, temporalRunId }: Execution): Promise<History> =>
  client.workflow.getHandle(workflowId, temporalRunId).fetchHistory();

/** As it will be read back from its file. */
export const asRecorded = (history: History): History => historyOf(textOf(history));

interface ProtoJson {
  toJson(type: object, message: object): { readonly events: readonly object[] };
  fromJson(type: object, json: unknown, options: { ignoreUnknownFields: boolean }): History;
}

// The SDK's own conversion fails when npm gives @temporalio/common and @temporalio/proto a protobufjs each: it hands
// one's types to the other. So this takes the one that made the types.
const { toJson, fromJson } = createRequire(createRequire(import.meta.url).resolve('@temporalio/proto'))(
  'protobufjs/ext/protojson',
) as ProtoJson;
const historyType = (patchProtobufRoot(proto) as unknown as { lookupType(name: string): object }).lookupType(
  'temporal.api.history.v1.History',
);

function textOf(history: History): string {
  const { events } = toJson(historyType, proto.temporal.api.history.v1.History.fromObject(history));
  const lines = events.map((event) => JSON.stringify(event, withoutMachine));
  return `{"events":[\n${lines.join(',\n')}\n]}\n`;
}

const historyOf = (text: string): History => fromJson(historyType, JSON.parse(text), { ignoreUnknownFields: true });

/** Replay reads none of these: the name of the machine, and where the repository lay on it. */
function withoutMachine(key: string, value: unknown): unknown {
  if (key === 'identity') return undefined;
  if (key === 'stackTrace') return String(value).replaceAll(repository, '');
  return key === 'taskQueue' && isSticky(value) ? { ...value, name: 'sticky' } : value;
}

/** The queue of one worker process; it is named after machine and process. */
const isSticky = (value: unknown): value is object =>
  typeof value === 'object' && value !== null && 'kind' in value && value.kind === 'TASK_QUEUE_KIND_STICKY';

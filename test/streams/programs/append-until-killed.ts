/**
 * A process of a test: waits for `open <seq>`, opens the PGlite folder that it is given, tells `has <seq> <part id>` of each
 * record from that seq on, appends the last of them again, then new ones, eight at a time, and tells `ack <seq> <part id>`
 * of each once it is acknowledged. Until it is killed.
 */
import { createInterface } from 'node:readline';
import type { StoredRecord } from '../../../src/domain/record.ts';
import { newRecordId } from '../../../src/sessions/new-ids.ts';
import { workflowIdOf } from '../../../src/sessions/workflow-id.ts';
import { openChangeFeed } from '../../../src/storage/changes.ts';
import { openPglite } from '../../../src/storage/pglite.ts';
import { sqlSessionStore } from '../../../src/storage/session-store.ts';
import { sqlStreamStore } from '../../../src/storage/streams/sql-stream-store.ts';
import { openStreams } from '../../../src/streams/streams.ts';
import { lifecycleOf } from '../../storage/lifecycle.ts';

const writers = 8;
const externalId = 'killed again and again';

const say = (line: string): void => void process.stdout.write(`${line}\n`);
const partIdOf = ({ body }: StoredRecord): string => (JSON.parse(body) as { id: string }).id;

const input = createInterface(process.stdin)[Symbol.asyncIterator]();
say('ready');
const order = await input.next();
let seq = Number(/^open (\d+)$/.exec(String(order.value))?.[1]);

const database = await openPglite({ dataDir: process.argv[2] ?? '', onProblem: () => process.exit(1) });
const life = await lifecycleOf(database);
const sessions = sqlSessionStore(database);
const { environment, workflowId } = life.createOrder({ externalId });
if ((await sessions.findByWorkflowId(workflowId)) === null) await life.open({ externalId });
const row = await sessions.findByWorkflowId(workflowId);
if (row === null) throw new Error('the session is gone');
const session = { id: row.id, externalId, workflowId };
const streams = openStreams({
  store: sqlStreamStore(database),
  sessions,
  orders: { wake: () => Promise.reject(new Error('its run is live')) },
  changes: await openChangeFeed(database, { onProblem: () => undefined }),
  failpoints: { isArmed: false, hit: async () => undefined },
  flushes: 1,
  newRecordId,
  workflowIdOf: ({ name }, id) => workflowIdOf(name, id, ''),
  onWakeUndelivered: () => undefined,
  onFault: () => process.exit(1),
});

async function append(partId: string): Promise<void> {
  const result = await streams.append({
    environment,
    session,
    stream: 'in',
    text: `text of ${partId}`,
    partId,
    attempt: null,
  });
  if (!result.ok) throw new Error(result.failure.code);
  say(`ack ${result.value.seq} ${partId}`);
}

const last: string[] = [];
for (let page = await streams.read({ session, stream: 'in' }, seq); page.records.length > 0; ) {
  for (const record of page.records) say(`has ${record.seq} ${partIdOf(record)}`);
  last.push(...page.records.map(partIdOf));
  seq = (page.records.at(-1)?.seq ?? seq) + 1;
  page = await streams.read({ session, stream: 'in' }, seq);
}
await Promise.all(last.slice(-writers).map(append));
await Promise.all(
  Array.from({ length: writers }, async (_, writer) => {
    for (let count = 0; ; count += 1) await append(`${seq}.${writer}.${count}`);
  }),
);

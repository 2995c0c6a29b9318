/**
 * `@durable-streams/server` with its files in a folder: it flushes each record to the disk before it acknowledges it.
 *
 * Argument: the folder.
 */
import { DurableStreamTestServer } from '@durable-streams/server';

export interface DurableStreamsReady {
  readonly url: string;
}

const [folder = ''] = process.argv.slice(2);
const server = new DurableStreamTestServer({ port: 0, host: '127.0.0.1', dataDir: folder });
const url = await server.start();
process.on('disconnect', () => process.exit(0));
process.send?.({ url } satisfies DurableStreamsReady);

import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server } from 'node:net';

/**
 * A port that nobody listens on. One connection is made to it and closed from the listening side: while that
 * lingers in TIME_WAIT (60 s on Linux) the system offers the port to nobody else, yet it can be bound by number.
 */
export async function pickFreePort(host: string): Promise<number> {
  const server = await listen(host, 0);
  const { port } = server.address() as AddressInfo;
  const accepted = once(server, 'connection');
  const client = connect({ host, port });
  const [socket] = await accepted;
  socket.destroy();
  await once(client.resume(), 'close');
  await close(server);
  return port;
}

/** Null when the port can be bound, else why not: the system's error code. */
export async function bindProblem(host: string, port: number): Promise<string | null> {
  try {
    await close(await listen(host, port));
    return null;
  } catch (thrown) {
    return (thrown as NodeJS.ErrnoException).code ?? String(thrown);
  }
}

function listen(host: string, port: number): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen({ host, port, exclusive: true }, () => resolve(server));
  });
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
  });
}

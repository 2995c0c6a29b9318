import { pickFreePort } from '../../src/temporal/free-port.ts';

/** A port of the loopback address that nothing listens on, and that is not handed out again for a while. */
export const freePort = (): Promise<number> => pickFreePort('127.0.0.1');

/** The streams of all sessions over one database. */
import type { StreamStore } from '../../sessions/ports.ts';
import type { Database } from '../database.ts';
import { appendBatch } from './append.ts';
import { readNextSeqs, readStream } from './read.ts';
import { readTranscript } from './read-transcript.ts';

export const sqlStreamStore = (db: Database): StreamStore => ({
  append: (records, wait) => appendBatch(db, records, wait),
  read: (place, from) => readStream(db, place, from),
  readTranscript: (place, range) => readTranscript(db, place, range),
  nextSeqs: (places) => readNextSeqs(db, places),
});

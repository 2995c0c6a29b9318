// planted: boundaries streams-stay-below-http
import { storeName } from '../storage/dead-export.ts';

export const storeOfStreams = storeName;

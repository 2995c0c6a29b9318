// planted: boundaries http-parses-and-calls-sessions
import { storeName } from '../storage/dead-export.ts';

export const storeOfHttp = storeName;

// planted: boundaries sessions-ask-the-domain-and-ports
import { storeName } from '../storage/dead-export.ts';

export const storeOfSessions = storeName;

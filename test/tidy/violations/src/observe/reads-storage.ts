// planted: boundaries observe-turns-facts-into-logs
import { storeName } from '../storage/dead-export.ts';

export const storeOfObserve = storeName;

// planted: boundaries config-reads-the-environment
import { storeName } from './storage/dead-export.ts';

export const storeOfConfig = storeName;

// planted: boundaries tasks-need-no-server-code
import { storeName } from '../storage/dead-export.ts';

export const storeOfTasks = storeName;

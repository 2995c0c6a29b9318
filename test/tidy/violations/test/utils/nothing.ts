// planted: tidy banned-folder
export const nothing = null;

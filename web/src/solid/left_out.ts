/** Stands for the decompressors that NiiVue brings along for Zarr stores, which no report has. */
export default null;

/**
 * The WebGPU device of the tests: whether there is one, and why not.
 *
 * @module
 */

let device: Promise<GPUDevice | null> | null = null;

/** A device, or `null` after saying so once; only tests that need it are left out. */
export function testDevice(): Promise<GPUDevice | null> {
  return device ??= request();
}

async function request(): Promise<GPUDevice | null> {
  const adapter = await navigator.gpu?.requestAdapter();
  if (!adapter) {
    console.log("WebGPU: no adapter (install mesa-vulkan-drivers for a software one); its tests are left out");
    return null;
  }
  console.log(`WebGPU: ${adapter.info.description || adapter.info.device}`);
  return await adapter.requestDevice();
}

/** What runs a shader of `printWgsl`: words of the inputs and parameters in, words of the outputs out. */
export async function runShader(
  device: GPUDevice,
  code: string,
  parameters: Uint32Array<ArrayBuffer>,
  inputs: readonly Uint32Array<ArrayBuffer>[],
  outputs: number,
  count: number,
): Promise<Uint32Array[]> {
  device.pushErrorScope("validation");
  const module = device.createShaderModule({ code });
  const pipeline = device.createComputePipeline({ layout: "auto", compute: { module, entryPoint: "main" } });
  const upload = (words: Uint32Array<ArrayBuffer>, usage: number): GPUBuffer => {
    const buffer = device.createBuffer({
      size: Math.ceil(words.byteLength / 16) * 16,
      usage: usage | GPUBufferUsage.COPY_DST,
    });
    device.queue.writeBuffer(buffer, 0, words);
    return buffer;
  };
  const storage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC;
  const buffers = [
    upload(parameters, GPUBufferUsage.UNIFORM),
    ...inputs.map((words) => upload(words, storage)),
    ...Array.from({ length: outputs }, () => upload(new Uint32Array(count), storage)),
  ];
  const used = buffers.map((buffer, binding) => ({ binding, resource: { buffer } }));
  // A program may read nothing: then the layout has no such binding.
  const declared = used.filter(({ binding }) => new RegExp(`@binding\\(${binding}\\)`).test(code));
  const encoder = device.createCommandEncoder();
  const error = await device.popErrorScope();
  if (error) throw new Error(`${error.message}\n${code}`);
  const group = device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries: declared });
  const pass = encoder.beginComputePass();
  pass.setPipeline(pipeline);
  pass.setBindGroup(0, group);
  pass.dispatchWorkgroups(Math.ceil(count / 64));
  pass.end();
  const reads = buffers.slice(buffers.length - outputs).map((buffer) => {
    const read = device.createBuffer({ size: count * 4, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
    encoder.copyBufferToBuffer(buffer, 0, read, 0, count * 4);
    return read;
  });
  device.queue.submit([encoder.finish()]);
  await Promise.all(reads.map((read) => read.mapAsync(GPUMapMode.READ)));
  const results = reads.map((read) => new Uint32Array(read.getMappedRange().slice(0)));
  for (const buffer of [...buffers, ...reads]) buffer.destroy();
  return results;
}

// A client of @kubernetes/client-node that does one job, named by its first argument, in the
// namespace that the second one names. The third is the namespace of a pod `web` on port 80.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import stream from 'node:stream';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

const require = createRequire(path.join(process.env.CLIENT_NODE, 'package.json'));
const k8s = await import(pathToFileURL(require.resolve('@kubernetes/client-node')));

const [, , job, namespace, web] = process.argv;
const config = new k8s.KubeConfig();
config.loadFromDefault();
const core = config.makeApiClient(k8s.CoreV1Api);
const apps = config.makeApiClient(k8s.AppsV1Api);

async function until(what, reached) {
  for (const end = Date.now() + 30_000; Date.now() < end; ) {
    const found = await reached();
    if (found) return found;
    await new Promise((resume) => setTimeout(resume, 50));
  }
  throw new Error(`not within 30 s: ${what}`);
}

function sink() {
  const found = new stream.PassThrough();
  found.text = '';
  found.on('data', (part) => (found.text += part));
  return found;
}

const configMap = (name, more = {}) => ({ metadata: { name, ...more } });

const deployment = (name, replicas) => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name, namespace },
  spec: {
    replicas,
    selector: { matchLabels: { app: name } },
    template: {
      metadata: { labels: { app: name } },
      spec: { containers: [{ name: 'main', image: 'nginx' }] },
    },
  },
});

const pod = (name, ...command) => ({
  metadata: { name },
  spec: {
    restartPolicy: 'Never',
    terminationGracePeriodSeconds: 1,
    containers: [{ name: 'main', image: 'busybox', command, stdin: true, stdinOnce: true }],
  },
});

async function started(name) {
  await until(`${name} has started`, async () => {
    const { status } = await core.readNamespacedPod({ name, namespace });
    return ['Running', 'Succeeded', 'Failed'].includes(status.phase);
  });
}

const jobs = {
  async informer() {
    const list = () => core.listNamespacedConfigMap({ namespace });
    const informer = k8s.makeInformer(config, `/api/v1/namespaces/${namespace}/configmaps`, list);
    const told = [];
    for (const verb of ['add', 'update', 'delete']) {
      informer.on(verb, (found) => told.push(`${verb} ${found.metadata.name}`));
    }
    informer.on('error', (error) => told.push(`error ${error}`));
    await core.createNamespacedConfigMap({ namespace, body: configMap('before') });
    await informer.start();
    await core.createNamespacedConfigMap({ namespace, body: configMap('during') });
    await until('both are told', () => told.includes('add before') && told.includes('add during'));
    const body = [{ op: 'add', path: '/data', value: { a: 'b' } }];
    await core.patchNamespacedConfigMap({ name: 'during', namespace, body });
    await until('the change is told', () => told.includes('update during'));
    assert.equal(informer.get('during', namespace).data.a, 'b');
    await core.deleteNamespacedConfigMap({ name: 'during', namespace });
    await until('the end is told', () => told.includes('delete during'));
    assert.deepEqual(told.filter((line) => line.startsWith('error')), []);
    await informer.stop();
  },

  async watch() {
    const seen = [];
    let version;
    const watch = new k8s.Watch(config);
    const done = new Promise((resolve) => {
      watch.watch(
        `/api/v1/namespaces/${namespace}/configmaps`,
        { allowWatchBookmarks: true, timeoutSeconds: 3, labelSelector: 'seen=yes' },
        (kind, found) => {
          if (kind === 'BOOKMARK') version = found.metadata.resourceVersion;
          else seen.push(`${kind} ${found.metadata.name}`);
        },
        resolve,
      );
    });
    await core.createNamespacedConfigMap({ namespace, body: configMap('unseen') });
    await core.createNamespacedConfigMap({ namespace, body: configMap('c', { labels: { seen: 'yes' } }) });
    const body = [{ op: 'remove', path: '/metadata/labels/seen' }];
    await core.patchNamespacedConfigMap({ name: 'c', namespace, body });
    await done;
    assert.deepEqual(seen, ['ADDED c', 'DELETED c']);
    assert.match(version, /^\d+$/);
  },

  async exec() {
    const out = sink();
    const error = sink();
    const run = (...command) =>
      new Promise((resolve, reject) => {
        const input = stream.Readable.from(['some words\n']);
        new k8s.Exec(config)
          .exec(web, 'web', 'main', command, out, error, input, false, resolve)
          .catch(reject);
      });
    const status = await run('sh', '-c', 'read line; echo got $line; echo aside >&2; exit 3');
    assert.equal(status.status, 'Failure');
    assert.deepEqual(status.details.causes, [{ reason: 'ExitCode', message: '3' }]);
    assert.equal(out.text, 'got some words\n');
    assert.equal(error.text, 'aside\n');
    assert.equal((await run('true')).status, 'Success');
  },

  async attach() {
    await core.createNamespacedPod({ namespace, body: pod('echoes', 'cat') });
    await started('echoes');
    const out = sink();
    const input = new stream.PassThrough();
    const socket = await new k8s.Attach(config).attach(namespace, 'echoes', 'main', out, null, input, false);
    input.write('there and back\n');
    await until('it is back', () => out.text === 'there and back\n');
    socket.close();
  },

  async logs() {
    const words = 'for n in 1 2 3; do echo word $n; sleep 0.1; done';
    await core.createNamespacedPod({ namespace, body: pod('says', 'sh', '-c', words) });
    await started('says');
    const out = sink();
    const ended = new Promise((resolve) => out.on('end', resolve));
    await new k8s.Log(config).log(namespace, 'says', 'main', out, { follow: true });
    await ended;
    assert.equal(out.text, 'word 1\nword 2\nword 3\n');
    const tail = await core.readNamespacedPodLog({ name: 'says', namespace, tailLines: 1 });
    assert.equal(tail, 'word 3\n');
  },

  async portforward() {
    const forward = new k8s.PortForward(config);
    const server = net.createServer((socket) => {
      forward.portForward(web, 'web', [80], socket, null, socket);
    });
    await new Promise((resume) => server.listen(0, '127.0.0.1', resume));
    for (const number of [1, 2, 3]) {
      const text = await new Promise((resolve, reject) => {
        const url = `http://127.0.0.1:${server.address().port}/forwarded-${number}`;
        http.get(url, { agent: false }, (answer) => {
          const page = answer.pipe(sink());
          page.on('end', () => resolve(page.text));
        }).on('error', reject);
      });
      assert.equal(text, `web\nGET /forwarded-${number}\n`);
    }
    server.close();
  },

  async cp() {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'cp-'));
    const name = 'sent.txt';
    const words = 'some words\n'.repeat(1000);
    fs.mkdirSync(path.join(folder, 'out'));
    fs.writeFileSync(path.join(folder, 'out', name), words);
    const cp = new k8s.Cp(config);
    await cp.cpToPod(web, 'web', 'main', path.join(folder, 'out'), '/tmp');
    await until('it is there', () =>
      new Promise((resolve) =>
        new k8s.Exec(config).exec(web, 'web', 'main', ['test', '-s', `/tmp/${name}`], sink(), null, null, false,
          (status) => resolve(status.status === 'Success')),
      ),
    );
    // Its cpFromPod asks for a compressed archive and reads it as a plain one: no server helps.
    const out = sink();
    await new Promise((resolve) =>
      new k8s.Exec(config).exec(web, 'web', 'main', ['cat', `/tmp/${name}`], out, null, null, false, resolve),
    );
    await until('it is the same', () => out.text === words);
    fs.rmSync(folder, { recursive: true });
  },

  async patches() {
    await apps.createNamespacedDeployment({ namespace, body: deployment('d', 0) });
    const side = { containers: [{ name: 'side', image: 'busybox' }] };
    const patch = (body, strategy, more = {}) =>
      apps.patchNamespacedDeployment(
        { name: 'd', namespace, body, ...more },
        k8s.setHeaderOptions('Content-Type', strategy),
      );
    const names = (found) => found.spec.template.spec.containers.map((each) => each.name);
    const spec = { spec: { template: { spec: side } } };
    assert.deepEqual(names(await patch(spec, k8s.PatchStrategy.StrategicMergePatch)), ['side', 'main']);
    assert.deepEqual(names(await patch(spec, k8s.PatchStrategy.MergePatch)), ['side']);
    const json = [{ op: 'replace', path: '/spec/replicas', value: 1 }];
    assert.equal((await patch(json, k8s.PatchStrategy.JsonPatch)).spec.replicas, 1);
    const apply = (fieldManager, replicas, more) => {
      const body = { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'd' }, spec: { replicas } };
      return patch(body, k8s.PatchStrategy.ServerSideApply, { fieldManager, ...more });
    };
    assert.equal((await apply('one', 2, { force: true })).spec.replicas, 2);
    await assert.rejects(apply('two', 3), (error) => error.code === 409);
    const scale = await apps.readNamespacedDeploymentScale({ name: 'd', namespace });
    scale.spec.replicas = 0;
    delete scale.metadata.resourceVersion; // its controller writes as well
    assert.equal((await apps.replaceNamespacedDeploymentScale({ name: 'd', namespace, body: scale })).spec.replicas, 0);
  },

  async objects() {
    const client = k8s.KubernetesObjectApi.makeApiClient(config);
    const made = await client.create(deployment('d', 1));
    assert.ok(made.metadata.creationTimestamp instanceof Date);
    const read = await client.read({ apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'd', namespace } });
    assert.equal(read.metadata.uid, made.metadata.uid);
    read.spec.replicas = 0;
    delete read.metadata.resourceVersion;
    assert.equal((await client.replace(read)).spec.replicas, 0);
    const listed = await client.list('apps/v1', 'Deployment', namespace);
    assert.deepEqual(listed.items.map((each) => each.metadata.name), ['d']);
    await client.delete(deployment('d', 1));
    await until('it is gone', async () => (await apps.listNamespacedDeployment({ namespace })).items.length === 0);
  },

  async custom() {
    const group = `${namespace}.test`;
    const objects = config.makeApiClient(k8s.CustomObjectsApi);
    const definitions = config.makeApiClient(k8s.ApiextensionsV1Api);
    const open = { type: 'object', x_kubernetes_preserve_unknown_fields: true };
    const name = `toys.${group}`;
    await definitions.createCustomResourceDefinition({
      body: {
        metadata: { name },
        spec: {
          group, scope: 'Namespaced', names: { plural: 'toys', kind: 'Toy' },
          versions: [{
            name: 'v1', served: true, storage: true, subresources: { status: {} },
            schema: { openAPIV3Schema: { type: 'object', properties: { spec: open, status: open } } },
          }],
        },
      },
    });
    await until('the kind is served', async () => {
      const { status } = await definitions.readCustomResourceDefinition({ name });
      return status?.conditions?.some((each) => each.type === 'Established' && each.status === 'True');
    });
    const where = { group, version: 'v1', namespace, plural: 'toys' };
    const body = { apiVersion: `${group}/v1`, kind: 'Toy', metadata: { name: 'ball' }, spec: { size: 1 } };
    await objects.createNamespacedCustomObject({ ...where, body });
    const merged = await objects.patchNamespacedCustomObjectStatus(
      { ...where, name: 'ball', body: { status: { seen: true } } },
      k8s.setHeaderOptions('Content-Type', k8s.PatchStrategy.MergePatch),
    );
    assert.deepEqual(merged.status, { seen: true });
    await objects.deleteNamespacedCustomObject({ ...where, name: 'ball' });
    assert.deepEqual((await objects.listNamespacedCustomObject(where)).items, []);
    await definitions.deleteCustomResourceDefinition({ name });
  },

  async errors() {
    await assert.rejects(core.readNamespacedPod({ name: 'none', namespace }), (error) => {
      const status = JSON.parse(error.body);
      return error.code === 404 && status.kind === 'Status' && status.reason === 'NotFound';
    });
    const wrong = deployment('d', -1);
    await assert.rejects(apps.createNamespacedDeployment({ namespace, body: wrong }), (error) => {
      const [cause] = JSON.parse(error.body).details.causes;
      return error.code === 422 && cause.field === 'spec.replicas';
    });
  },

  async versions() {
    const found = await config.makeApiClient(k8s.VersionApi).getCode();
    assert.equal(found.major, '1');
    const health = new k8s.Health(config);
    assert.equal(await health.readyz({}), true);
    assert.equal(await health.livez({}), true);
  },
};

await jobs[job]();
console.log('done');
process.exit(0);

import { spawn } from 'node:child_process';
import { Client, Connection } from '@temporalio/client';
import { NativeConnection } from '@temporalio/worker';
import { createWorker } from '../worker/worker.ts';
import { createDispatcher } from '../dispatch/dispatcher.ts';
const address='127.0.0.1:17233';
const p = spawn(process.env.HOME+'/.cache/nextevent/bin/temporal', ['server','start-dev','--headless','--ip','127.0.0.1','--port','17233','--log-level','error','--db-filename','/tmp/smoke-'+Date.now()+'.db','--sqlite-pragma','journal_mode=WAL','--sqlite-pragma','synchronous=NORMAL','--dynamic-config-value','history.transferProcessorMaxPollRPS=2000','--dynamic-config-value','history.timerProcessorMaxPollRPS=2000','--dynamic-config-value','matching.numTaskqueueReadPartitions=1','--dynamic-config-value','matching.numTaskqueueWritePartitions=1'],{stdio:'inherit'});
let connection: Connection;
for (;;) { try { connection = await Connection.connect({address}); break; } catch { await new Promise(r=>setTimeout(r,200)); } }
const native = await NativeConnection.connect({address});
const config: any = { workflowsPath:'/work/main/test/workflows/index.ts', taskQueue:'nextevent', activities:{}, sources:new Map([['shop',{}]]), triggers:[{name:'listen',source:'shop',filter:"data.start == true",workflow:'listen',taskQueue:'nextevent'}] };
const worker = await createWorker({config, connection:native, clientConnectionOptions:{address}, namespace:'default'});
const running = worker.run();
const dispatcher = await createDispatcher({connectionOptions:{address},namespace:'default',sources:['shop'],triggers:[]});
const client = new Client({connection});
const h = await client.workflow.start('listen',{workflowId:'l1',taskQueue:'nextevent',args:[{subscriptions:[['shop',"data.x == 1"],['shop','data.x > 0']],count:20}]});
for(;;){ const q:any=await h.query('progress'); if(q.subscribed.length===2) break; await new Promise(r=>setTimeout(r,50)); }
for (let i=0;i<10;i++){ const t=performance.now(); const r=await dispatcher.dispatch({id:'e'+i,source:'shop',type:'post',time:'',data:{x:1}}); console.log(r, (performance.now()-t).toFixed(1)); }
console.log((await h.result() as any).map((x:any)=>x.id).join());
const bad = await client.workflow.execute('listen',{workflowId:'l2',taskQueue:'nextevent',args:[{subscriptions:[['shop',"data.x.endswith('a')"]],count:2}]}).catch(e=>e.cause);
console.log(bad?.type, bad?.message);
const bad2 = await client.workflow.execute('listen',{workflowId:'l3',taskQueue:'nextevent',args:[{subscriptions:[['shp',"x"]],count:2}]}).catch(e=>e.cause);
console.log(bad2?.type, bad2?.message);
const r = await dispatcher.dispatch({id:'eX',source:'shop',type:'post',time:'',data:{x:1}}); console.log(r);
await new Promise(r=>setTimeout(r,500));
console.log(await (await client.workflow.getHandle('nextevent/source/shop').describe()).memo);
const hist = await client.workflow.getHandle('l1').fetchHistory();
console.log(hist.events!.map(e=>e.eventType).join(' '));
worker.shutdown(); await running; await dispatcher.close(); await native.close(); await connection.close(); p.kill();

<?xml version="1.0" encoding="utf-8"?>
<!DOCTYPE TS>
<TS version="2.1" language="zh_CN" sourcelanguage="en">
<context>
    <name>lora-lab</name>
    <message>
        <source>
branch of {} at step {:,}</source>
        <translation>
{} 在第 {:,} 步的分支</translation>
    </message>
    <message>
        <source>   (validation loss {:.4g})</source>
        <translation>   (验证损失 {:.4g})</translation>
    </message>
    <message>
        <source> (cut)</source>
        <translation> (已截断)</translation>
    </message>
    <message>
        <source> 1 layer is too large to analyse.</source>
        <translation> 1 层过大，无法分析。</translation>
    </message>
    <message>
        <source> Also interrupted: {}.</source>
        <translation> 同样中断的还有：{}。</translation>
    </message>
    <message>
        <source> Branch of {} at step {:,}.</source>
        <translation> {} 在第 {:,} 步的分支。</translation>
    </message>
    <message>
        <source> Its adapter is kept in {}</source>
        <translation> 其适配器保存在 {}</translation>
    </message>
    <message>
        <source> Stopped after {:,} of {:,} layers.</source>
        <translation> 已在 {:,} / {:,} 层后停止。</translation>
    </message>
    <message>
        <source> The {:,} steps after it were not saved and will be repeated.</source>
        <translation> 此后的 {:,} 步未保存，将重新训练。</translation>
    </message>
    <message>
        <source> and </source>
        <translation> 且 </translation>
    </message>
    <message>
        <source> or </source>
        <translation> 或 </translation>
    </message>
    <message>
        <source> seed</source>
        <translation> 个种子</translation>
    </message>
    <message>
        <source> token</source>
        <translation> 个 token</translation>
    </message>
    <message>
        <source> tokens</source>
        <translation> 个 token</translation>
    </message>
    <message>
        <source> {:,} layers are too large to analyse.</source>
        <translation> {:,} 层过大，无法分析。</translation>
    </message>
    <message>
        <source> {} failed.</source>
        <translation> {} 个失败。</translation>
    </message>
    <message>
        <source> · time left {}</source>
        <translation> · 剩余时间 {}</translation>
    </message>
    <message>
        <source> · validation loss {}</source>
        <translation> · 验证损失 {}</translation>
    </message>
    <message>
        <source> · {:,} left out</source>
        <translation> · 略去 {:,} 个</translation>
    </message>
    <message>
        <source> · {} pending until the queue is started</source>
        <translation> · {} 个待启动队列后运行</translation>
    </message>
    <message>
        <source> – a hint: energy is not loss</source>
        <translation> – 仅为提示：能量不等于损失</translation>
    </message>
    <message>
        <source> – a hint: σ(ΔW) is not what truncating the factors removes</source>
        <translation> – 仅为提示：截断因子所去掉的并不是 σ(ΔW)</translation>
    </message>
    <message>
        <source>&amp;Adapt on Restart</source>
        <translation>重新开始时适配(&amp;A)</translation>
    </message>
    <message>
        <source>&amp;Adapter</source>
        <translation>适配器(&amp;A)</translation>
    </message>
    <message>
        <source>&amp;Add 1 run</source>
        <translation>添加 1 个运行(&amp;A)</translation>
    </message>
    <message>
        <source>&amp;Add to the queue</source>
        <translation>添加到队列(&amp;A)</translation>
    </message>
    <message>
        <source>&amp;Add {:,} runs</source>
        <translation>添加 {:,} 个运行(&amp;A)</translation>
    </message>
    <message>
        <source>&amp;Base model</source>
        <translation>基座模型(&amp;B)</translation>
    </message>
    <message>
        <source>&amp;Batch</source>
        <translation>批大小(&amp;B)</translation>
    </message>
    <message>
        <source>&amp;Branch</source>
        <translation>建立分支(&amp;B)</translation>
    </message>
    <message>
        <source>&amp;Browse…</source>
        <translation>浏览(&amp;B)…</translation>
    </message>
    <message>
        <source>&amp;Cancel</source>
        <translation>取消(&amp;C)</translation>
    </message>
    <message>
        <source>&amp;Clear this list</source>
        <translation>清空此列表(&amp;C)</translation>
    </message>
    <message>
        <source>&amp;Clip</source>
        <translation>裁剪(&amp;C)</translation>
    </message>
    <message>
        <source>&amp;Compare</source>
        <translation>比较(&amp;C)</translation>
    </message>
    <message>
        <source>&amp;Compare merge methods</source>
        <translation>比较合并方法(&amp;C)</translation>
    </message>
    <message>
        <source>&amp;Continue training</source>
        <translation>继续训练(&amp;C)</translation>
    </message>
    <message>
        <source>&amp;Copy</source>
        <translation>复制(&amp;C)</translation>
    </message>
    <message>
        <source>&amp;Copy report</source>
        <translation>复制报告(&amp;C)</translation>
    </message>
    <message>
        <source>&amp;Data</source>
        <translation>数据(&amp;D)</translation>
    </message>
    <message>
        <source>&amp;Download</source>
        <translation>下载(&amp;D)</translation>
    </message>
    <message>
        <source>&amp;Edit</source>
        <translation>编辑(&amp;E)</translation>
    </message>
    <message>
        <source>&amp;Export</source>
        <translation>导出(&amp;E)</translation>
    </message>
    <message>
        <source>&amp;Export the adapter…</source>
        <translation>导出适配器(&amp;E)…</translation>
    </message>
    <message>
        <source>&amp;Extract</source>
        <translation>提取(&amp;E)</translation>
    </message>
    <message>
        <source>&amp;File</source>
        <translation>文件(&amp;F)</translation>
    </message>
    <message>
        <source>&amp;Folder…</source>
        <translation>文件夹(&amp;F)…</translation>
    </message>
    <message>
        <source>&amp;Format</source>
        <translation>格式(&amp;F)</translation>
    </message>
    <message>
        <source>&amp;Freeze</source>
        <translation>冻结(&amp;F)</translation>
    </message>
    <message>
        <source>&amp;Help</source>
        <translation>帮助(&amp;H)</translation>
    </message>
    <message>
        <source>&amp;How it works</source>
        <translation>工作原理(&amp;H)</translation>
    </message>
    <message>
        <source>&amp;Inspect, resize, convert</source>
        <translation>查看、调整、转换(&amp;I)</translation>
    </message>
    <message>
        <source>&amp;Keep</source>
        <translation>保留(&amp;K)</translation>
    </message>
    <message>
        <source>&amp;Keep the lab open</source>
        <translation>保持打开(&amp;K)</translation>
    </message>
    <message>
        <source>&amp;Keep this run open</source>
        <translation>保持此运行打开(&amp;K)</translation>
    </message>
    <message>
        <source>&amp;Leave out on Restart</source>
        <translation>重新开始时略去(&amp;L)</translation>
    </message>
    <message>
        <source>&amp;Load…</source>
        <translation>载入(&amp;L)…</translation>
    </message>
    <message>
        <source>&amp;Matrix W</source>
        <translation>矩阵 W(&amp;M)</translation>
    </message>
    <message>
        <source>&amp;Measure again</source>
        <translation>重新测量(&amp;M)</translation>
    </message>
    <message>
        <source>&amp;Merge</source>
        <translation>合并(&amp;M)</translation>
    </message>
    <message>
        <source>&amp;Model order</source>
        <translation>模型顺序(&amp;M)</translation>
    </message>
    <message>
        <source>&amp;Momentum</source>
        <translation>动量(&amp;M)</translation>
    </message>
    <message>
        <source>&amp;Move</source>
        <translation>移动(&amp;M)</translation>
    </message>
    <message>
        <source>&amp;None</source>
        <translation>全不选(&amp;N)</translation>
    </message>
    <message>
        <source>&amp;Open</source>
        <translation>打开(&amp;O)</translation>
    </message>
    <message>
        <source>&amp;Open…</source>
        <translation>打开(&amp;O)…</translation>
    </message>
    <message>
        <source>&amp;Prove it by the library it is for</source>
        <translation>用目标库验证(&amp;P)</translation>
    </message>
    <message>
        <source>&amp;Queue its runs</source>
        <translation>将其运行排入队列(&amp;Q)</translation>
    </message>
    <message>
        <source>&amp;Queue the runs</source>
        <translation>将这些运行排入队列(&amp;Q)</translation>
    </message>
    <message>
        <source>&amp;Rank</source>
        <translation>秩(&amp;R)</translation>
    </message>
    <message>
        <source>&amp;Reading</source>
        <translation>解读方式(&amp;R)</translation>
    </message>
    <message>
        <source>&amp;Replace</source>
        <translation>替换(&amp;R)</translation>
    </message>
    <message>
        <source>&amp;Restart</source>
        <translation>重新开始(&amp;R)</translation>
    </message>
    <message>
        <source>&amp;Revert</source>
        <translation>回退(&amp;R)</translation>
    </message>
    <message>
        <source>&amp;Run</source>
        <translation>运行(&amp;R)</translation>
    </message>
    <message>
        <source>&amp;Run it</source>
        <translation>运行(&amp;R)</translation>
    </message>
    <message>
        <source>&amp;Runs of this row</source>
        <translation>此行的运行(&amp;R)</translation>
    </message>
    <message>
        <source>&amp;Save</source>
        <translation>保存(&amp;S)</translation>
    </message>
    <message>
        <source>&amp;Save and close</source>
        <translation>保存并关闭(&amp;S)</translation>
    </message>
    <message>
        <source>&amp;Scales</source>
        <translation>缩放(&amp;S)</translation>
    </message>
    <message>
        <source>&amp;Search again</source>
        <translation>重新搜索(&amp;S)</translation>
    </message>
    <message>
        <source>&amp;Seed</source>
        <translation>随机种子(&amp;S)</translation>
    </message>
    <message>
        <source>&amp;Shared directions</source>
        <translation>共同方向(&amp;S)</translation>
    </message>
    <message>
        <source>&amp;Show folder</source>
        <translation>显示文件夹(&amp;S)</translation>
    </message>
    <message>
        <source>&amp;Steps</source>
        <translation>步数(&amp;S)</translation>
    </message>
    <message>
        <source>&amp;Stop</source>
        <translation>停止(&amp;S)</translation>
    </message>
    <message>
        <source>&amp;Task</source>
        <translation>任务(&amp;T)</translation>
    </message>
    <message>
        <source>&amp;Threshold</source>
        <translation>阈值(&amp;T)</translation>
    </message>
    <message>
        <source>&amp;Undo the clip</source>
        <translation>撤销裁剪(&amp;U)</translation>
    </message>
    <message>
        <source>&amp;Unfreeze</source>
        <translation>解冻(&amp;U)</translation>
    </message>
    <message>
        <source>&amp;Up</source>
        <translation>上移(&amp;U)</translation>
    </message>
    <message>
        <source>&amp;View</source>
        <translation>视图(&amp;V)</translation>
    </message>
    <message>
        <source>&amp;Warm-up</source>
        <translation>预热(&amp;W)</translation>
    </message>
    <message>
        <source>&amp;Where to write it</source>
        <translation>写入位置(&amp;W)</translation>
    </message>
    <message>
        <source>&amp;Write to</source>
        <translation>写入到(&amp;W)</translation>
    </message>
    <message>
        <source>&amp;untie a weight that is used twice</source>
        <translation>拆开被共用的权重(&amp;U)</translation>
    </message>
    <message>
        <source>(ends at once)</source>
        <translation>(立即结束)</translation>
    </message>
    <message>
        <source>(of {})</source>
        <translation>(共 {})</translation>
    </message>
    <message>
        <source>* the smallest or largest rate that was tried: others may be better.</source>
        <translation>* 已尝试的最小或最大学习率：其他值可能更好。</translation>
    </message>
    <message>
        <source>, accuracy</source>
        <translation>，准确率</translation>
    </message>
    <message>
        <source>, accuracy {}</source>
        <translation>，准确率 {}</translation>
    </message>
    <message>
        <source>, before an edit</source>
        <translation>，修改之前</translation>
    </message>
    <message>
        <source>, from {:.0%} of the entries</source>
        <translation>，取自 {:.0%} 的元素</translation>
    </message>
    <message>
        <source>, largest singular value {}</source>
        <translation>，最大奇异值 {}</translation>
    </message>
    <message>
        <source>, loss</source>
        <translation>，损失</translation>
    </message>
    <message>
        <source>, most in {}</source>
        <translation>，最多在 {}</translation>
    </message>
    <message>
        <source>, the first {} σ of each</source>
        <translation>，每层前 {} 个 σ</translation>
    </message>
    <message>
        <source>, worst layer {}</source>
        <translation>，最差层 {}</translation>
    </message>
    <message>
        <source>, {:,} truncated at {:,}</source>
        <translation>，{:,} 行在 {:,} 处截断</translation>
    </message>
    <message>
        <source>, {} snapshots kept</source>
        <translation>，保留 {} 个快照</translation>
    </message>
    <message>
        <source>, σ ± {}</source>
        <translation>，σ ± {}</translation>
    </message>
    <message>
        <source>. Colours go from {} to {}</source>
        <translation>。颜色范围从 {} 到 {}</translation>
    </message>
    <message>
        <source>. The memory of a step is estimated once it is open.</source>
        <translation>。打开后会估计每步所需内存。</translation>
    </message>
    <message>
        <source>.csv, .txt, .npy or an image; or drop one on the window</source>
        <translation>.csv、.txt、.npy 或图片；也可拖到窗口上</translation>
    </message>
    <message>
        <source>0   (bit for bit)</source>
        <translation>0   (逐位相同)</translation>
    </message>
    <message>
        <source>0 takes the likeliest token; above, one is drawn from softmax(logits / T)</source>
        <translation>0 取概率最高的 token；大于 0 时从 softmax(logits / T) 中采样</translation>
    </message>
    <message>
        <source>00,000 steps/s</source>
        <translation>00,000 步/秒</translation>
    </message>
    <message>
        <source>0:00:00 left</source>
        <translation>剩余 0:00:00</translation>
    </message>
    <message>
        <source>1 2 3
2 4 6
1 3 5</source>
        <translation>1 2 3
2 4 6
1 3 5</translation>
    </message>
    <message>
        <source>1 hint…</source>
        <translation>1 条提示…</translation>
    </message>
    <message>
        <source>1 layer</source>
        <translation>1 层</translation>
    </message>
    <message>
        <source>1 other</source>
        <translation>另 1 个</translation>
    </message>
    <message>
        <source>1 parameter</source>
        <translation>1 个参数</translation>
    </message>
    <message>
        <source>1 run</source>
        <translation>1 个运行</translation>
    </message>
    <message>
        <source>1/(i + j − 1): no row repeats another, and yet float64 cannot tell it from rank 11.</source>
        <translation>1/(i + j − 1)：没有一行重复另一行，但 float64 无法把它与秩 11 区分开。</translation>
    </message>
    <message>
        <source>1/σ{} is the inverse of rounding: keep {} at most.</source>
        <translation>1/σ{} 只是舍入误差的倒数：最多保留 {} 个。</translation>
    </message>
    <message>
        <source>10 × 10 of rank 2</source>
        <translation>秩为 2 的 10 × 10</translation>
    </message>
    <message>
        <source>100 numbers that are a product of 10 × 2 and 2 × 10: 40 hold all of it.</source>
        <translation>100 个数，是 10 × 2 与 2 × 10 的乘积：40 个数就包含全部信息。</translation>
    </message>
    <message>
        <source>2 bytes, a small range; adapters stay in float32</source>
        <translation>2 字节，范围较小；适配器仍为 float32</translation>
    </message>
    <message>
        <source>2 bytes, float32&apos;s range; adapters stay in float32</source>
        <translation>2 字节，范围同 float32；适配器仍为 float32</translation>
    </message>
    <message>
        <source>3 × 3 of rank 2</source>
        <translation>秩为 2 的 3 × 3</translation>
    </message>
    <message>
        <source>4 bytes per number; exact enough for everything</source>
        <translation>每个数 4 字节；精度足够一切用途</translation>
    </message>
    <message>
        <source>8 bytes, for measuring</source>
        <translation>8 字节，用于测量</translation>
    </message>
    <message>
        <source>; at worst {:.1f} % of ‖ΔW‖ is lost, {}</source>
        <translation>；最坏损失 ‖ΔW‖ 的 {:.1f} %，{}</translation>
    </message>
    <message>
        <source>; none reaches {:,}</source>
        <translation>；没有一行达到 {:,}</translation>
    </message>
    <message>
        <source>; rank {} would have {:,}</source>
        <translation>；秩 {} 将有 {:,} 个</translation>
    </message>
    <message>
        <source>; the adapter is off.</source>
        <translation>；适配器已关闭。</translation>
    </message>
    <message>
        <source>; validation loss {}</source>
        <translation>；验证损失 {}</translation>
    </message>
    <message>
        <source>; {:.0f} % needs r {}</source>
        <translation>；{:.0f} % 需要 r {}</translation>
    </message>
    <message>
        <source>; {} layers are in one of them only</source>
        <translation>；{} 层只存在于其中一个</translation>
    </message>
    <message>
        <source>; {} snapshots from step {:,} on</source>
        <translation>；{} 个快照，自第 {:,} 步起</translation>
    </message>
    <message>
        <source>; {} steps were not finite</source>
        <translation>；{} 步出现非有限值</translation>
    </message>
    <message>
        <source>A</source>
        <translation>A</translation>
    </message>
    <message>
        <source>A = the directions in which the inputs vary most, B = 0. Paischer et al. 2024, arXiv 2410.07170</source>
        <translation>A = 输入变化最大的方向，B = 0。Paischer et al. 2024, arXiv 2410.07170</translation>
    </message>
    <message>
        <source>A Hugging Face folder, .safetensors, .pt or .gguf</source>
        <translation>Hugging Face 文件夹、.safetensors、.pt 或 .gguf</translation>
    </message>
    <message>
        <source>A change of known rank (made by the lab)</source>
        <translation>已知秩的变化（由本软件生成）</translation>
    </message>
    <message>
        <source>A desktop lab for low-rank adaptation.
Apache License 2.0</source>
        <translation>低秩适配的桌面实验室。
Apache License 2.0</translation>
    </message>
    <message>
        <source>A file…</source>
        <translation>文件…</translation>
    </message>
    <message>
        <source>A folder…</source>
        <translation>文件夹…</translation>
    </message>
    <message>
        <source>A hint, as of step {:,}: energy is not importance, so look at the loss. </source>
        <translation>仅为提示，截至第 {:,} 步：能量不代表重要性，请看损失。 </translation>
    </message>
    <message>
        <source>A mark for each run, once its loss is measured.</source>
        <translation>每个运行一个标记，测得损失后显示。</translation>
    </message>
    <message>
        <source>A merge keeps ΔW in all of these dtypes.</source>
        <translation>以上所有 dtype 合并后都能保留 ΔW。</translation>
    </message>
    <message>
        <source>A merge would {}.</source>
        <translation>合并会{}。</translation>
    </message>
    <message>
        <source>A new run that starts from an adapter file</source>
        <translation>从适配器文件开始的新运行</translation>
    </message>
    <message>
        <source>A random subspace</source>
        <translation>随机子空间</translation>
    </message>
    <message>
        <source>A row per line; 1/3 and 2e-3 are numbers.</source>
        <translation>每行一行数据；1/3 和 2e-3 都是数。</translation>
    </message>
    <message>
        <source>A run in several processes trains without the window.</source>
        <translation>多进程运行在窗口之外训练。</translation>
    </message>
    <message>
        <source>A scanned 8: how many values until it is readable?</source>
        <translation>扫描的数字 8：保留多少个奇异值才能认出？</translation>
    </message>
    <message>
        <source>A small net has never seen a 9. The adapter learns 9s alone: watch it gain them, and then forget the other digits.</source>
        <translation>小网络从未见过 9。适配器只学习 9：观察它学会 9，然后遗忘其他数字。</translation>
    </message>
    <message>
        <source>A {}, B {}</source>
        <translation>A {}, B {}</translation>
    </message>
    <message>
        <source>A ~ N(0, 1), B = 0: the parametrization tutorial</source>
        <translation>A ~ N(0, 1)，B = 0：参数化教程的做法</translation>
    </message>
    <message>
        <source>A ~ N(0, 1/r²), B = 0: Hu et al. 2021, §4.1</source>
        <translation>A ~ N(0, 1/r²)，B = 0：Hu et al. 2021, §4.1</translation>
    </message>
    <message>
        <source>A ~ U(±1/√in), B = 0: what loralib and PEFT do</source>
        <translation>A ~ U(±1/√in)，B = 0：loralib 和 PEFT 的做法</translation>
    </message>
    <message>
        <source>A − A₀</source>
        <translation>A − A₀</translation>
    </message>
    <message>
        <source>A&amp;bort this run</source>
        <translation>中止此运行(&amp;B)</translation>
    </message>
    <message>
        <source>About LoRA Lab</source>
        <translation>关于 LoRA Lab</translation>
    </message>
    <message>
        <source>Accumulate</source>
        <translation>累积</translation>
    </message>
    <message>
        <source>Accuracy</source>
        <translation>准确率</translation>
    </message>
    <message>
        <source>Accuracy per class, adapter off and on</source>
        <translation>各类准确率，适配器关与开</translation>
    </message>
    <message>
        <source>Accuracy {} off, {} on; most gained: {} {}, most lost: {} {}</source>
        <translation>准确率 关 {}，开 {}；提升最多：{} {}，下降最多：{} {}</translation>
    </message>
    <message>
        <source>Accuracy, off → on</source>
        <translation>准确率，关 → 开</translation>
    </message>
    <message>
        <source>Across: the first i directions of one; up: the first j of the other. φ(i, j) is 1 (bright) where one subspace contains the other, 0 where they are orthogonal (LoRA §7.2).</source>
        <translation>横轴：其一的前 i 个方向；纵轴：另一个的前 j 个方向。一个子空间包含另一个时 φ(i, j) 为 1（亮），正交时为 0（LoRA §7.2）。</translation>
    </message>
    <message>
        <source>Ada&amp;pter</source>
        <translation>适配器(&amp;P)</translation>
    </message>
    <message>
        <source>Adam with decoupled weight decay. Loshchilov &amp; Hutter 2019</source>
        <translation>带解耦权重衰减的 Adam。Loshchilov &amp; Hutter 2019</translation>
    </message>
    <message>
        <source>Adapted</source>
        <translation>已适配</translation>
    </message>
    <message>
        <source>Adapter</source>
        <translation>适配器</translation>
    </message>
    <message>
        <source>Adapter file or folder that training continues from: its factors, ranks, α, targets and variant are taken as they are, and the optimizer starts afresh. Another rank or α is applied before the first step, as in mid-run.</source>
        <translation>训练由此继续的适配器文件或文件夹：因子、秩、α、目标和变体原样沿用，优化器重新开始。若改用其他秩或 α，则在第一步之前应用，与运行中途修改相同。</translation>
    </message>
    <message>
        <source>Adapter off</source>
        <translation>适配器关</translation>
    </message>
    <message>
        <source>Adapter off: base model only</source>
        <translation>适配器关：仅基座模型</translation>
    </message>
    <message>
        <source>Adapter on</source>
        <translation>适配器开</translation>
    </message>
    <message>
        <source>Adapter parameters</source>
        <translation>适配器参数</translation>
    </message>
    <message>
        <source>Adapter to export, by its step</source>
        <translation>要导出的适配器，按步</translation>
    </message>
    <message>
        <source>Adapter variant.</source>
        <translation>适配器变体。</translation>
    </message>
    <message>
        <source>Adapter workshop</source>
        <translation>适配器工坊</translation>
    </message>
    <message>
        <source>Adapter workshop…</source>
        <translation>适配器工坊…</translation>
    </message>
    <message>
        <source>Adapter {}</source>
        <translation>适配器 {}</translation>
    </message>
    <message>
        <source>Adapters (*.safetensors *.gguf *.bin *.pt adapter_config.json)</source>
        <translation>适配器 (*.safetensors *.gguf *.bin *.pt adapter_config.json)</translation>
    </message>
    <message>
        <source>Adapters (*.safetensors *.gguf *.pt *.pth *.bin);;All files (*)</source>
        <translation>适配器 (*.safetensors *.gguf *.pt *.pth *.bin);;所有文件 (*)</translation>
    </message>
    <message>
        <source>Add &amp;current settings</source>
        <translation>添加当前设置(&amp;C)</translation>
    </message>
    <message>
        <source>Add runs</source>
        <translation>添加运行</translation>
    </message>
    <message>
        <source>Add runs and compare them</source>
        <translation>添加运行并比较</translation>
    </message>
    <message>
        <source>All &amp;linear</source>
        <translation>所有线性层(&amp;L)</translation>
    </message>
    <message>
        <source>All adapted weights, however many they are</source>
        <translation>所有被适配的权重，无论多少</translation>
    </message>
    <message>
        <source>All adapted weights, up to 20,000,000 of them; above, the factors of LoRA (Uni-LoRA)</source>
        <translation>所有被适配的权重，最多 20,000,000 个；超过时为 LoRA 的因子（Uni-LoRA）</translation>
    </message>
    <message>
        <source>All classes</source>
        <translation>所有类</translation>
    </message>
    <message>
        <source>All four hold: X is the pseudo-inverse of W.</source>
        <translation>四条全部成立：X 是 W 的伪逆。</translation>
    </message>
    <message>
        <source>All layers</source>
        <translation>所有层</translation>
    </message>
    <message>
        <source>All methods agree.</source>
        <translation>所有方法一致。</translation>
    </message>
    <message>
        <source>All other classes</source>
        <translation>所有其他类</translation>
    </message>
    <message>
        <source>All runs; resume one that was interrupted</source>
        <translation>所有运行；可恢复中断的运行</translation>
    </message>
    <message>
        <source>All {} runs are there.</source>
        <translation>全部 {} 个运行均已就绪。</translation>
    </message>
    <message>
        <source>Allocate rank per layer by energy</source>
        <translation>按能量为各层分配秩</translation>
    </message>
    <message>
        <source>Alpha α</source>
        <translation>Alpha α</translation>
    </message>
    <message>
        <source>Alt and an underlined letter</source>
        <translation>Alt 加带下划线的字母</translation>
    </message>
    <message>
        <source>An intruder is a strong direction of W + ΔW that resembles none of W&apos;s own (|cos| below the threshold). Full fine-tuning makes few; where a low rank makes many, more of what the base model knew is forgotten (Shuttleworth et al. 2024).</source>
        <translation>入侵维度是 W + ΔW 中与 W 自身任何方向都不相似的强方向（|cos| 低于阈值）。全量微调产生得很少；低秩产生很多时，基座模型所学的内容会被遗忘得更多（Shuttleworth et al. 2024）。</translation>
    </message>
    <message>
        <source>Angles</source>
        <translation>夹角</translation>
    </message>
    <message>
        <source>Another base for the preset shown</source>
        <translation>为当前预设更换基座</translation>
    </message>
    <message>
        <source>Another run was opened before this was exported.</source>
        <translation>此运行尚未导出，就已打开另一个运行。</translation>
    </message>
    <message>
        <source>Applied at step {:,}: {}</source>
        <translation>在第 {:,} 步已应用：{}</translation>
    </message>
    <message>
        <source>Apply</source>
        <translation>应用</translation>
    </message>
    <message>
        <source>Arrows, Page Up, Page Down</source>
        <translation>方向键、Page Up、Page Down</translation>
    </message>
    <message>
        <source>Asking the model…</source>
        <translation>正在询问模型…</translation>
    </message>
    <message>
        <source>At equal examples, LoRA loses more by a large batch than full training does.</source>
        <translation>样本数相同时，大批量对 LoRA 的损害大于对全量训练的损害。</translation>
    </message>
    <message>
        <source>At the start of training the loss falls alike at every rank.</source>
        <translation>训练初期，各个秩的损失下降相同。</translation>
    </message>
    <message>
        <source>At {:,} trained numbers each.</source>
        <translation>各训练 {:,} 个参数。</translation>
    </message>
    <message>
        <source>At {} the validation loss rose from {:.3g} to {}. </source>
        <translation>学习率为 {} 时，验证损失从 {:.3g} 升到 {}。 </translation>
    </message>
    <message>
        <source>Auto</source>
        <translation>自动</translation>
    </message>
    <message>
        <source>Auto: bars, or a heat map of many layers</source>
        <translation>自动：条形图，层数多时用热图</translation>
    </message>
    <message>
        <source>A·Aᵀ = I, B = 0: Saxe et al. 2014, arXiv 1312.6120</source>
        <translation>A·Aᵀ = I，B = 0：Saxe et al. 2014, arXiv 1312.6120</translation>
    </message>
    <message>
        <source>B and A are {} % of W’s numbers. Break-even is rank m·n/(m + n) = {}: </source>
        <translation>B 和 A 占 W 数值个数的 {} %。持平的秩为 m·n/(m + n) = {}： </translation>
    </message>
    <message>
        <source>Back</source>
        <translation>后退</translation>
    </message>
    <message>
        <source>Bars</source>
        <translation>条形图</translation>
    </message>
    <message>
        <source>Base</source>
        <translation>基座</translation>
    </message>
    <message>
        <source>Base &amp;in</source>
        <translation>基座精度(&amp;I)</translation>
    </message>
    <message>
        <source>Base in</source>
        <translation>基座精度</translation>
    </message>
    <message>
        <source>Base model</source>
        <translation>基座模型</translation>
    </message>
    <message>
        <source>Batching</source>
        <translation>组批方式</translation>
    </message>
    <message>
        <source>Before / After</source>
        <translation>前后对比</translation>
    </message>
    <message>
        <source>Begin again</source>
        <translation>从头开始</translation>
    </message>
    <message>
        <source>Best</source>
        <translation>最佳</translation>
    </message>
    <message>
        <source>Best loss</source>
        <translation>最佳损失</translation>
    </message>
    <message>
        <source>Best loss by parameters: {}</source>
        <translation>按参数量的最佳损失：{}</translation>
    </message>
    <message>
        <source>Best step {:,}</source>
        <translation>最佳步 {:,}</translation>
    </message>
    <message>
        <source>Best validation loss by parameters</source>
        <translation>按参数量的最佳验证损失</translation>
    </message>
    <message>
        <source>Best validation loss over adapter parameters</source>
        <translation>最佳验证损失随适配器参数量的变化</translation>
    </message>
    <message>
        <source>Bits of the base</source>
        <translation>基座位数</translation>
    </message>
    <message>
        <source>Branch in float32</source>
        <translation>以 float32 建立分支</translation>
    </message>
    <message>
        <source>Brighter to the right and downwards: x + y has rank 2.</source>
        <translation>向右、向下变亮：x + y 的秩为 2。</translation>
    </message>
    <message>
        <source>Browse</source>
        <translation>浏览</translation>
    </message>
    <message>
        <source>Building the model</source>
        <translation>正在构建模型</translation>
    </message>
    <message>
        <source>Built-in data; nothing to configure. Use Open for a model and data of your own.</source>
        <translation>内置数据；无需设置。用“打开”载入自己的模型和数据。</translation>
    </message>
    <message>
        <source>By arithmetic: a step of full fine-tuning takes 3 multiplications for each weight, LoRA slightly more than 2.</source>
        <translation>按算术估计：全量微调每步每个权重需 3 次乘法，LoRA 略多于 2 次。</translation>
    </message>
    <message>
        <source>By arithmetic: the weights, the optimizer state, and the activations or the gradients, whichever are more.</source>
        <translation>按算术估计：权重、优化器状态，以及激活与梯度中较大者。</translation>
    </message>
    <message>
        <source>B·A starts as the first r of W = Q·R. Büyükakyüz 2024, arXiv 2406.01775</source>
        <translation>B·A 从 W = Q·R 的前 r 个开始。Büyükakyüz 2024, arXiv 2406.01775</translation>
    </message>
    <message>
        <source>B·A starts as the r largest directions of W = U·S·Vᵀ. Meng et al. 2024, arXiv 2404.02948</source>
        <translation>B·A 从 W = U·S·Vᵀ 的 r 个最大方向开始。Meng et al. 2024, arXiv 2404.02948</translation>
    </message>
    <message>
        <source>C&amp;opy</source>
        <translation>复制(&amp;O)</translation>
    </message>
    <message>
        <source>Cancel</source>
        <translation>取消</translation>
    </message>
    <message>
        <source>Cancel opening; the current run stays open</source>
        <translation>取消打开；当前运行保持打开</translation>
    </message>
    <message>
        <source>Cancelled.</source>
        <translation>已取消。</translation>
    </message>
    <message>
        <source>Cancelled. Choose a model.</source>
        <translation>已取消。请选择模型。</translation>
    </message>
    <message>
        <source>Cancelled. What has come is kept for the next time.</source>
        <translation>已取消。已下载的部分保留到下次使用。</translation>
    </message>
    <message>
        <source>Cancelled: nothing was written; existing files are unchanged.</source>
        <translation>已取消：未写入任何内容；已有文件未变。</translation>
    </message>
    <message>
        <source>Cancelled; nothing was changed.</source>
        <translation>已取消；没有任何改动。</translation>
    </message>
    <message>
        <source>Cancelled; nothing was written.</source>
        <translation>已取消；未写入任何内容。</translation>
    </message>
    <message>
        <source>Cancelled; the previous result is still shown.</source>
        <translation>已取消；仍显示上一次的结果。</translation>
    </message>
    <message>
        <source>Cancelling</source>
        <translation>正在取消</translation>
    </message>
    <message>
        <source>Causal language modelling</source>
        <translation>因果语言建模</translation>
    </message>
    <message>
        <source>Checkpoint of step {:,}</source>
        <translation>第 {:,} 步的检查点</translation>
    </message>
    <message>
        <source>Checkpoints</source>
        <translation>检查点</translation>
    </message>
    <message>
        <source>Checkpoints (*.safetensors *.pt *.pth *.bin);;All files (*)</source>
        <translation>检查点 (*.safetensors *.pt *.pth *.bin);;所有文件 (*)</translation>
    </message>
    <message>
        <source>Checkpoints of this run: revert to one, or start a branch from it</source>
        <translation>此运行的检查点：回退到某一个，或由此建立分支</translation>
    </message>
    <message>
        <source>Choose a column for {}</source>
        <translation>为 {} 选择一列</translation>
    </message>
    <message>
        <source>Choose a folder…</source>
        <translation>选择文件夹…</translation>
    </message>
    <message>
        <source>Choose a model: its contents are shown, and nothing in it is executed. Then choose the training data. An adapter alone opens in the workshop.</source>
        <translation>选择模型：会显示其内容，但不执行其中任何代码。然后选择训练数据。单独的适配器会在工坊中打开。</translation>
    </message>
    <message>
        <source>Choose an adapter: all common formats are read.</source>
        <translation>选择适配器：常见格式均可读取。</translation>
    </message>
    <message>
        <source>Choose another place.</source>
        <translation>请选择其他位置。</translation>
    </message>
    <message>
        <source>Choose the layers that are adapted</source>
        <translation>选择要适配的层</translation>
    </message>
    <message>
        <source>Choose {}</source>
        <translation>选择 {}</translation>
    </message>
    <message>
        <source>Chosen</source>
        <translation>选中</translation>
    </message>
    <message>
        <source>Claims</source>
        <translation>论断</translation>
    </message>
    <message>
        <source>Class of the images</source>
        <translation>图片的类</translation>
    </message>
    <message>
        <source>Clear f&amp;inished</source>
        <translation>清除已完成(&amp;I)</translation>
    </message>
    <message>
        <source>Click, or press F1 on the control, for the page with the formula.</source>
        <translation>单击，或在控件上按 F1，打开含公式的页面。</translation>
    </message>
    <message>
        <source>Clip</source>
        <translation>裁剪</translation>
    </message>
    <message>
        <source>Clip gradients at {:g}</source>
        <translation>将梯度裁剪到 {:g}</translation>
    </message>
    <message>
        <source>Clip σ of {}</source>
        <translation>裁剪 {} 的 σ</translation>
    </message>
    <message>
        <source>Clip σ of {} ({})?</source>
        <translation>裁剪 {} 的 σ（{}）？</translation>
    </message>
    <message>
        <source>Clip…</source>
        <translation>裁剪…</translation>
    </message>
    <message>
        <source>Close</source>
        <translation>关闭</translation>
    </message>
    <message>
        <source>Close &amp;without saving</source>
        <translation>不保存并关闭(&amp;W)</translation>
    </message>
    <message>
        <source>Close a dialog or a list, dismiss a notice</source>
        <translation>关闭对话框或列表，忽略通知</translation>
    </message>
    <message>
        <source>Closed</source>
        <translation>已关闭</translation>
    </message>
    <message>
        <source>Co&amp;unt</source>
        <translation>计数(&amp;U)</translation>
    </message>
    <message>
        <source>Co&amp;unt again</source>
        <translation>重新计数(&amp;U)</translation>
    </message>
    <message>
        <source>Column of {}</source>
        <translation>{} 所在列</translation>
    </message>
    <message>
        <source>Combinations left out</source>
        <translation>略去的组合</translation>
    </message>
    <message>
        <source>Compare settings</source>
        <translation>比较设置</translation>
    </message>
    <message>
        <source>Comparing</source>
        <translation>正在比较</translation>
    </message>
    <message>
        <source>Comparing layers</source>
        <translation>正在比较各层</translation>
    </message>
    <message>
        <source>Comparing…</source>
        <translation>正在比较…</translation>
    </message>
    <message>
        <source>Complex to look at, but of rank 2: cos(x² + y²).</source>
        <translation>看起来复杂，秩却只有 2：cos(x² + y²)。</translation>
    </message>
    <message>
        <source>Component of a diffusion pipeline</source>
        <translation>扩散流水线的组件</translation>
    </message>
    <message>
        <source>Computing singular values</source>
        <translation>正在计算奇异值</translation>
    </message>
    <message>
        <source>Computing the rank</source>
        <translation>正在计算秩</translation>
    </message>
    <message>
        <source>Computing…</source>
        <translation>正在计算…</translation>
    </message>
    <message>
        <source>Config, tokenizer and weights are downloaded into the Hugging Face cache.</source>
        <translation>配置、分词器和权重会下载到 Hugging Face 缓存。</translation>
    </message>
    <message>
        <source>Confusion: true class by predicted class</source>
        <translation>混淆矩阵：真实类对预测类</translation>
    </message>
    <message>
        <source>Contents</source>
        <translation>目录</translation>
    </message>
    <message>
        <source>Continue</source>
        <translation>继续</translation>
    </message>
    <message>
        <source>Continue the prompt with the adapter off and on</source>
        <translation>在适配器关与开时分别续写提示词</translation>
    </message>
    <message>
        <source>Continue training</source>
        <translation>继续训练</translation>
    </message>
    <message>
        <source>Continue training from an adapter</source>
        <translation>从适配器继续训练</translation>
    </message>
    <message>
        <source>Continue training from…</source>
        <translation>继续训练自…</translation>
    </message>
    <message>
        <source>Continue training…</source>
        <translation>继续训练…</translation>
    </message>
    <message>
        <source>Copied {:,} rows of {}.</source>
        <translation>已复制 {1} 的 {0:,} 行。</translation>
    </message>
    <message>
        <source>Copied {} as a picture.</source>
        <translation>已将 {} 复制为图片。</translation>
    </message>
    <message>
        <source>Copy</source>
        <translation>复制</translation>
    </message>
    <message>
        <source>Copy &amp;name</source>
        <translation>复制名称(&amp;N)</translation>
    </message>
    <message>
        <source>Copy numbers</source>
        <translation>复制数值</translation>
    </message>
    <message>
        <source>Copy or save this plot and its numbers</source>
        <translation>复制或保存此图及其数值</translation>
    </message>
    <message>
        <source>Copy or save {}</source>
        <translation>复制或保存 {}</translation>
    </message>
    <message>
        <source>Copy picture</source>
        <translation>复制图片</translation>
    </message>
    <message>
        <source>Copy plot</source>
        <translation>复制图</translation>
    </message>
    <message>
        <source>Cosine</source>
        <translation>余弦</translation>
    </message>
    <message>
        <source>Cosine decay to zero after warm-up</source>
        <translation>预热后按余弦衰减到零</translation>
    </message>
    <message>
        <source>Cosine threshold</source>
        <translation>余弦阈值</translation>
    </message>
    <message>
        <source>Cost of the run</source>
        <translation>运行开销</translation>
    </message>
    <message>
        <source>Cut after {} of {}</source>
        <translation>在第 {} / {} 个后截断</translation>
    </message>
    <message>
        <source>D&amp;ata</source>
        <translation>数据(&amp;A)</translation>
    </message>
    <message>
        <source>DPO β</source>
        <translation>DPO β</translation>
    </message>
    <message>
        <source>Dark</source>
        <translation>深色</translation>
    </message>
    <message>
        <source>Data</source>
        <translation>数据</translation>
    </message>
    <message>
        <source>Data (*.jsonl *.json *.csv *.tsv *.parquet *.txt);;All files (*)</source>
        <translation>数据 (*.jsonl *.json *.csv *.tsv *.parquet *.txt);;所有文件 (*)</translation>
    </message>
    <message>
        <source>Data folder</source>
        <translation>数据文件夹</translation>
    </message>
    <message>
        <source>De&amp;vice</source>
        <translation>设备(&amp;V)</translation>
    </message>
    <message>
        <source>Decompose a matrix: rank, truncation, pseudo-inverse</source>
        <translation>分解矩阵：秩、截断、伪逆</translation>
    </message>
    <message>
        <source>Decomposing the matrix</source>
        <translation>正在分解矩阵</translation>
    </message>
    <message>
        <source>Decoupled decay of A and B per step, times their learning rate; it pulls B·A towards 0. Biases that are trained do not decay.</source>
        <translation>A 和 B 每步的解耦衰减，乘以各自的学习率；使 B·A 趋向 0。参与训练的偏置不衰减。</translation>
    </message>
    <message>
        <source>Describe plots (text)…</source>
        <translation>用文字描述图…</translation>
    </message>
    <message>
        <source>Details</source>
        <translation>详情</translation>
    </message>
    <message>
        <source>Details of the notice</source>
        <translation>通知详情</translation>
    </message>
    <message>
        <source>Dev&amp;ice</source>
        <translation>设备(&amp;I)</translation>
    </message>
    <message>
        <source>Device</source>
        <translation>设备</translation>
    </message>
    <message>
        <source>Differences between the selected runs</source>
        <translation>所选运行之间的差异</translation>
    </message>
    <message>
        <source>Digit 8 × 8</source>
        <translation>8 × 8 数字</translation>
    </message>
    <message>
        <source>Digits: learn the 9</source>
        <translation>数字：学习 9</translation>
    </message>
    <message>
        <source>Directions of</source>
        <translation>方向来自</translation>
    </message>
    <message>
        <source>Disc 256 × 256</source>
        <translation>圆盘 256 × 256</translation>
    </message>
    <message>
        <source>Dismiss</source>
        <translation>忽略</translation>
    </message>
    <message>
        <source>Do&amp;wn</source>
        <translation>下移(&amp;W)</translation>
    </message>
    <message>
        <source>DoRA</source>
        <translation>DoRA</translation>
    </message>
    <message>
        <source>Don’t</source>
        <translation>不运行</translation>
    </message>
    <message>
        <source>Download</source>
        <translation>下载</translation>
    </message>
    <message>
        <source>Downloaded to {}</source>
        <translation>已下载到 {}</translation>
    </message>
    <message>
        <source>Drawing (*.svg)</source>
        <translation>矢量图 (*.svg)</translation>
    </message>
    <message>
        <source>Drop it here</source>
        <translation>拖放到此处</translation>
    </message>
    <message>
        <source>Dropout</source>
        <translation>Dropout</translation>
    </message>
    <message>
        <source>E&amp;xtract</source>
        <translation>提取(&amp;X)</translation>
    </message>
    <message>
        <source>Each at the rate of the least training loss.</source>
        <translation>每个均取训练损失最小的学习率。</translation>
    </message>
    <message>
        <source>Each class counts alike: a row of class c counts n/(k·n_c)</source>
        <translation>各类同等计数：c 类的一行计 n/(k·n_c)</translation>
    </message>
    <message>
        <source>Each layer takes a moment between two steps.</source>
        <translation>每层会在两步之间占用片刻。</translation>
    </message>
    <message>
        <source>Each number moves each weight, by a normal P with unit columns. Li et al. 2018. It is held whole, so for few weights and numbers</source>
        <translation>每个数移动每个权重，P 服从正态分布且各列为单位长度。Li 等 2018。P 被完整保存，因此只适合少量权重和数</translation>
    </message>
    <message>
        <source>Each row counts alike</source>
        <translation>每行同等计数</translation>
    </message>
    <message>
        <source>Each step is orthogonal: all directions of A and of B move alike. Jordan 2024. What is no matrix is moved by AdamW</source>
        <translation>每一步都是正交的：A 与 B 的所有方向移动相同的幅度。Jordan 2024。不是矩阵的参数由 AdamW 更新</translation>
    </message>
    <message>
        <source>Each ticked layer gets an adapter.</source>
        <translation>每个勾选的层都会得到适配器。</translation>
    </message>
    <message>
        <source>Each weight belongs to one number, with a sign: three operations a weight, and d is a slider. As Uni-LoRA, 2025</source>
        <translation>每个权重属于一个数，并带符号：每个权重三次运算，d 是滑块。同 Uni-LoRA，2025</translation>
    </message>
    <message>
        <source>Early stopping: validations without a better loss that end the run; 0: never.</source>
        <translation>提前停止：连续多少次验证损失没有改善就结束运行；0：从不。</translation>
    </message>
    <message>
        <source>Eckart–Young tail at r={}</source>
        <translation>r={} 的 Eckart–Young 余项</translation>
    </message>
    <message>
        <source>Eckart–Young tail at r={} is 0</source>
        <translation>r={} 的 Eckart–Young 余项为 0</translation>
    </message>
    <message>
        <source>Eff. r</source>
        <translation>有效 r</translation>
    </message>
    <message>
        <source>Effective rank</source>
        <translation>有效秩</translation>
    </message>
    <message>
        <source>Effective rank, exp of the entropy of σ / Σσ; its colour: the share of the layer&apos;s rank that is in use</source>
        <translation>有效秩，即 σ / Σσ 的熵的 exp；颜色：该层秩的使用比例</translation>
    </message>
    <message>
        <source>Elimination fails here: it counts a pivot as rounding, and gets {} rows.</source>
        <translation>此处消元失败：它把舍入误差当作主元，得到 {} 行。</translation>
    </message>
    <message>
        <source>Elimination fails here: it counts {} as a pivot, which is only rounding.</source>
        <translation>此处消元失败：它把仅为舍入误差的 {} 当作主元。</translation>
    </message>
    <message>
        <source>Elimination fails here: no pivot is below {}, yet σ{} is {}. A change of that size makes the rank {}; only σ shows it.</source>
        <translation>此处消元失败：没有主元低于 {}，但 σ{} 为 {}。这么大的变化会使秩变为 {}；只有 σ 能看出来。</translation>
    </message>
    <message>
        <source>End the run at this step and save its adapter</source>
        <translation>在此步结束运行并保存适配器</translation>
    </message>
    <message>
        <source>Ends the run at this step and saves it; the next one starts</source>
        <translation>在此步结束并保存该运行；随后开始下一个</translation>
    </message>
    <message>
        <source>Energy</source>
        <translation>能量</translation>
    </message>
    <message>
        <source>Energy (Σσ²) kept in %, all layers; dashed: the selected one. Drag the line.</source>
        <translation>保留的能量（Σσ²），单位 %，所有层；虚线：所选层。可拖动此线。</translation>
    </message>
    <message>
        <source>Energy (Σσ²) of ΔW by the rank kept</source>
        <translation>保留秩对应的 ΔW 能量（Σσ²）</translation>
    </message>
    <message>
        <source>Energy kept</source>
        <translation>保留的能量</translation>
    </message>
    <message>
        <source>Energy kept against rank</source>
        <translation>保留能量随秩的变化</translation>
    </message>
    <message>
        <source>Enter</source>
        <translation>Enter</translation>
    </message>
    <message>
        <source>Error: {}</source>
        <translation>错误：{}</translation>
    </message>
    <message>
        <source>Esc</source>
        <translation>Esc</translation>
    </message>
    <message>
        <source>Eval steps</source>
        <translation>验证间隔</translation>
    </message>
    <message>
        <source>Evaluate now</source>
        <translation>立即评估</translation>
    </message>
    <message>
        <source>Every pivot is 1, and yet 2⁻⁵⁸ taken from one corner makes it singular.</source>
        <translation>每个主元都是 1，但从一角减去 2⁻⁵⁸ 就会奇异。</translation>
    </message>
    <message>
        <source>Every visible plot as text</source>
        <translation>以文字描述每个可见的图</translation>
    </message>
    <message>
        <source>Everywhere</source>
        <translation>全局</translation>
    </message>
    <message>
        <source>Examples per step.</source>
        <translation>每步的样本数。</translation>
    </message>
    <message>
        <source>Expected</source>
        <translation>预期</translation>
    </message>
    <message>
        <source>Export HTML report…</source>
        <translation>导出 HTML 报告…</translation>
    </message>
    <message>
        <source>Export PEFT script…</source>
        <translation>导出 PEFT 脚本…</translation>
    </message>
    <message>
        <source>Export adapter</source>
        <translation>导出适配器</translation>
    </message>
    <message>
        <source>Export the adapter, which keeps ΔW exactly, or merge in {}.</source>
        <translation>导出能精确保留 ΔW 的适配器，或以 {} 合并。</translation>
    </message>
    <message>
        <source>Export the adapter, which keeps ΔW exactly.</source>
        <translation>导出能精确保留 ΔW 的适配器。</translation>
    </message>
    <message>
        <source>Exported to {}</source>
        <translation>已导出到 {}</translation>
    </message>
    <message>
        <source>Export…</source>
        <translation>导出…</translation>
    </message>
    <message>
        <source>F2 or a double click writes one</source>
        <translation>按 F2 或双击即可填写</translation>
    </message>
    <message>
        <source>F2 renames it; a branch is listed below its parent</source>
        <translation>按 F2 重命名；分支列在其来源之下</translation>
    </message>
    <message>
        <source>Failed</source>
        <translation>失败</translation>
    </message>
    <message>
        <source>Fi&amp;le…</source>
        <translation>文件(&amp;L)…</translation>
    </message>
    <message>
        <source>File</source>
        <translation>文件</translation>
    </message>
    <message>
        <source>File of the model</source>
        <translation>模型文件</translation>
    </message>
    <message>
        <source>Filter</source>
        <translation>筛选</translation>
    </message>
    <message>
        <source>Filter the runs</source>
        <translation>筛选运行</translation>
    </message>
    <message>
        <source>Final rank</source>
        <translation>最终秩</translation>
    </message>
    <message>
        <source>Final α</source>
        <translation>最终 α</translation>
    </message>
    <message>
        <source>Find in all pages</source>
        <translation>在所有页面中查找</translation>
    </message>
    <message>
        <source>Find learning rate</source>
        <translation>寻找学习率</translation>
    </message>
    <message>
        <source>Find learning rate…</source>
        <translation>寻找学习率…</translation>
    </message>
    <message>
        <source>Find…</source>
        <translation>寻找…</translation>
    </message>
    <message>
        <source>Finished · ready to export</source>
        <translation>已完成 · 可导出</translation>
    </message>
    <message>
        <source>First adapter</source>
        <translation>第一个适配器</translation>
    </message>
    <message>
        <source>First one epoch of full training of a 784-1000-2000-10 net, then 100 steps of a rank-1 adapter with 6,794 parameters (0.242 %) on the 9s alone.</source>
        <translation>先对 784-1000-2000-10 网络全量训练一个 epoch，再只用 9 训练 100 步秩为 1 的适配器，共 6,794 个参数（0.242 %）。</translation>
    </message>
    <message>
        <source>Floats of a folder in the dtype; a .gguf as it lies there</source>
        <translation>文件夹中的浮点数按 dtype；.gguf 保持原样</translation>
    </message>
    <message>
        <source>Folder of the exported adapter</source>
        <translation>导出适配器的文件夹</translation>
    </message>
    <message>
        <source>Folder of the images</source>
        <translation>图片文件夹</translation>
    </message>
    <message>
        <source>Folder of the model</source>
        <translation>模型文件夹</translation>
    </message>
    <message>
        <source>Follow</source>
        <translation>跟随</translation>
    </message>
    <message>
        <source>Follow system</source>
        <translation>跟随系统</translation>
    </message>
    <message>
        <source>Follow the data of {}</source>
        <translation>跟随 {} 的数据</translation>
    </message>
    <message>
        <source>Format</source>
        <translation>格式</translation>
    </message>
    <message>
        <source>Forward</source>
        <translation>前进</translation>
    </message>
    <message>
        <source>Frobenius norm of ΔW</source>
        <translation>ΔW 的 Frobenius 范数</translation>
    </message>
    <message>
        <source>Frobenius norm: the root of Σσᵢ² over what is cut</source>
        <translation>Frobenius 范数：被截去部分 Σσᵢ² 的平方根</translation>
    </message>
    <message>
        <source>From &amp;old runs…</source>
        <translation>取自旧运行(&amp;O)…</translation>
    </message>
    <message>
        <source>From ΔW&apos;s energy, with its loss</source>
        <translation>依据 ΔW 的能量，并给出损失</translation>
    </message>
    <message>
        <source>Frozen base</source>
        <translation>冻结的基座</translation>
    </message>
    <message>
        <source>Frozen base parameters</source>
        <translation>冻结的基座参数</translation>
    </message>
    <message>
        <source>Full</source>
        <translation>全量</translation>
    </message>
    <message>
        <source>Full fine-tuning</source>
        <translation>全量微调</translation>
    </message>
    <message>
        <source>Full fine-tuning of the same base model</source>
        <translation>同一基座模型的全量微调</translation>
    </message>
    <message>
        <source>Full fine-tuning parameters</source>
        <translation>全量微调参数</translation>
    </message>
    <message>
        <source>Full screen</source>
        <translation>全屏</translation>
    </message>
    <message>
        <source>Generate</source>
        <translation>生成</translation>
    </message>
    <message>
        <source>Generate from the same prompt again at each validation</source>
        <translation>每次验证时用同一提示词重新生成</translation>
    </message>
    <message>
        <source>Generated text, adapter off and on</source>
        <translation>生成的文本，适配器关与开</translation>
    </message>
    <message>
        <source>Generating…</source>
        <translation>正在生成…</translation>
    </message>
    <message>
        <source>Generation</source>
        <translation>生成</translation>
    </message>
    <message>
        <source>Go to that field, or press that button</source>
        <translation>跳到该字段，或按下该按钮</translation>
    </message>
    <message>
        <source>Gradient 256 × 256</source>
        <translation>渐变 256 × 256</translation>
    </message>
    <message>
        <source>Gradient accumulation: parts that a step&apos;s examples are computed in. Less memory, the same step. Short texts take fewer parts, as long as none is larger than the largest.</source>
        <translation>梯度累积：把一步的样本分成几份计算。内存更少，步不变。短文本所需份数更少，只要没有一份大于最大的那份。</translation>
    </message>
    <message>
        <source>Gradients are clipped to a norm of {:g} from now on. Space resumes.</source>
        <translation>从现在起梯度裁剪到范数 {:g}。按空格键继续。</translation>
    </message>
    <message>
        <source>Group by type</source>
        <translation>按类型分组</translation>
    </message>
    <message>
        <source>Handbook</source>
        <translation>手册</translation>
    </message>
    <message>
        <source>Heat map</source>
        <translation>热图</translation>
    </message>
    <message>
        <source>Hilbert 12 × 12</source>
        <translation>Hilbert 12 × 12</translation>
    </message>
    <message>
        <source>Hint</source>
        <translation>提示</translation>
    </message>
    <message>
        <source>Hints of the singular values, each with the loss at a clip</source>
        <translation>奇异值给出的提示，各附裁剪后的损失</translation>
    </message>
    <message>
        <source>Hints on the health of the spectra</source>
        <translation>关于谱健康状况的提示</translation>
    </message>
    <message>
        <source>Hints, as of step {:,}: a direction may matter however it looks, so look at the loss.</source>
        <translation>提示，截至第 {:,} 步：某个方向看起来如何都可能重要，请看损失。</translation>
    </message>
    <message>
        <source>How lora_A and lora_B start.</source>
        <translation>lora_A 与 lora_B 的初始化方式。</translation>
    </message>
    <message>
        <source>How many directions ΔW = (α/r)·B·A may use. It can change during training: increasing it keeps ΔW exactly, decreasing it keeps the largest singular values.</source>
        <translation>ΔW = (α/r)·B·A 可用的方向数。训练中可以更改：增大时精确保留 ΔW，减小时保留最大的奇异值。</translation>
    </message>
    <message>
        <source>How many numbers θ a random subspace trains, each moving its share of all weights. Doubling d keeps ΔW exactly; halving it keeps what comes nearest.</source>
        <translation>随机子空间训练多少个数 θ，每个移动所有权重中属于它的部分。d 加倍时精确保留 ΔW；减半时保留最接近的结果。</translation>
    </message>
    <message>
        <source>How the d numbers of a random subspace move all weights.</source>
        <translation>随机子空间的 d 个数如何移动所有权重。</translation>
    </message>
    <message>
        <source>How the frozen matrices of the base are held: 4 or 8 bits need a quarter or half of the memory of 16; heads and embeddings stay as they are.</source>
        <translation>基座冻结矩阵的存储方式：4 或 8 位所需内存为 16 位的四分之一或一半；输出头与嵌入保持不变。</translation>
    </message>
    <message>
        <source>How the singular values are shown</source>
        <translation>奇异值的显示方式</translation>
    </message>
    <message>
        <source>How the window keeps up is written to {}</source>
        <translation>窗口响应情况写入 {}</translation>
    </message>
    <message>
        <source>Hugging Face cache</source>
        <translation>Hugging Face 缓存</translation>
    </message>
    <message>
        <source>Hugging Face folder or checkpoint</source>
        <translation>Hugging Face 文件夹或检查点</translation>
    </message>
    <message>
        <source>Hyperparameters</source>
        <translation>超参数</translation>
    </message>
    <message>
        <source>I&amp;nit</source>
        <translation>初始化(&amp;N)</translation>
    </message>
    <message>
        <source>Image classification</source>
        <translation>图像分类</translation>
    </message>
    <message>
        <source>Images of the data</source>
        <translation>数据中的图片</translation>
    </message>
    <message>
        <source>In float32 elimination fails: it counts rounding as a pivot.</source>
        <translation>在 float32 下消元失败：它把舍入误差当作主元。</translation>
    </message>
    <message>
        <source>In float32 the smallest σ are lost to rounding.</source>
        <translation>在 float32 下最小的 σ 被舍入误差淹没。</translation>
    </message>
    <message>
        <source>In {} of {} rows random &lt; ΔW &lt; W.</source>
        <translation>{} / {} 行满足 随机 &lt; ΔW &lt; W。</translation>
    </message>
    <message>
        <source>Init</source>
        <translation>初始化</translation>
    </message>
    <message>
        <source>Inspect adapter</source>
        <translation>查看适配器</translation>
    </message>
    <message>
        <source>Inspect, resize, convert, merge, compare</source>
        <translation>查看、调整、转换、合并、比较</translation>
    </message>
    <message>
        <source>Inspecting</source>
        <translation>正在检查</translation>
    </message>
    <message>
        <source>Inspecting {}…</source>
        <translation>正在检查 {}…</translation>
    </message>
    <message>
        <source>Inspection progress</source>
        <translation>检查进度</translation>
    </message>
    <message>
        <source>Intruder dimensions</source>
        <translation>入侵维度</translation>
    </message>
    <message>
        <source>Intruder dimensions…</source>
        <translation>入侵维度…</translation>
    </message>
    <message>
        <source>Intruders</source>
        <translation>入侵维度</translation>
    </message>
    <message>
        <source>Intruders of each layer</source>
        <translation>各层的入侵维度</translation>
    </message>
    <message>
        <source>It failed; the main window shows the reason.</source>
        <translation>失败；主窗口显示原因。</translation>
    </message>
    <message>
        <source>It finished before it could be cancelled. {}</source>
        <translation>取消之前已经完成。{}</translation>
    </message>
    <message>
        <source>It loads the file before it is delivered, and its own ΔW is compared.</source>
        <translation>交付前由该库加载文件，并比较它自己的 ΔW。</translation>
    </message>
    <message>
        <source>Its own s</source>
        <translation>自身的 s</translation>
    </message>
    <message>
        <source>Keep</source>
        <translation>保留</translation>
    </message>
    <message>
        <source>Keep the current targets</source>
        <translation>保留当前目标</translation>
    </message>
    <message>
        <source>Keep training</source>
        <translation>继续训练</translation>
    </message>
    <message>
        <source>Keyboard shortcuts</source>
        <translation>键盘快捷键</translation>
    </message>
    <message>
        <source>Known rank: a change of rank 4</source>
        <translation>已知秩：秩为 4 的变化</translation>
    </message>
    <message>
        <source>LR schedule: the learning rate over the steps.</source>
        <translation>学习率调度：学习率随步数的变化。</translation>
    </message>
    <message>
        <source>Label smoothing (Szegedy et al. 2016, arXiv 1512.00567): share of each label that is spread over all classes or tokens alike. The validation loss is the plain one.</source>
        <translation>标签平滑（Szegedy et al. 2016, arXiv 1512.00567）：每个标签中平均分给所有类或 token 的比例。验证损失不含平滑。</translation>
    </message>
    <message>
        <source>Language</source>
        <translation>语言</translation>
    </message>
    <message>
        <source>Large batches hurt LoRA more</source>
        <translation>大批量对 LoRA 损害更大</translation>
    </message>
    <message>
        <source>Largest relative error of ΔW</source>
        <translation>ΔW 的最大相对误差</translation>
    </message>
    <message>
        <source>Layer</source>
        <translation>层</translation>
    </message>
    <message>
        <source>Layer whose singular values are shown</source>
        <translation>显示其奇异值的层</translation>
    </message>
    <message>
        <source>Layers</source>
        <translation>层</translation>
    </message>
    <message>
        <source>Layers of both</source>
        <translation>两者共有的层</translation>
    </message>
    <message>
        <source>Layers of the adapter</source>
        <translation>适配器的层</translation>
    </message>
    <message>
        <source>Layers that can be adapted</source>
        <translation>可适配的层</translation>
    </message>
    <message>
        <source>Learned and forgotten</source>
        <translation>学会与遗忘</translation>
    </message>
    <message>
        <source>Learning ra&amp;te</source>
        <translation>学习率(&amp;T)</translation>
    </message>
    <message>
        <source>Learning rate</source>
        <translation>学习率</translation>
    </message>
    <message>
        <source>Learning rates</source>
        <translation>学习率</translation>
    </message>
    <message>
        <source>Light</source>
        <translation>浅色</translation>
    </message>
    <message>
        <source>Linear decay to zero after warm-up</source>
        <translation>预热后线性衰减到零</translation>
    </message>
    <message>
        <source>LoRA</source>
        <translation>LoRA</translation>
    </message>
    <message>
        <source>LoRA on the MLP layers alone is at least as good as on attention alone, at equal count.</source>
        <translation>参数量相同时，只在 MLP 层上的 LoRA 至少不逊于只在注意力层上。</translation>
    </message>
    <message>
        <source>LoRA+ λ</source>
        <translation>LoRA+ λ</translation>
    </message>
    <message>
        <source>LoRA-FA</source>
        <translation>LoRA-FA</translation>
    </message>
    <message>
        <source>LoRA-XS</source>
        <translation>LoRA-XS</translation>
    </message>
    <message>
        <source>LoRA’s shape</source>
        <translation>LoRA 的形式</translation>
    </message>
    <message>
        <source>Load a matrix</source>
        <translation>载入矩阵</translation>
    </message>
    <message>
        <source>Loading the engine…</source>
        <translation>正在加载引擎…</translation>
    </message>
    <message>
        <source>Loading…</source>
        <translation>正在加载…</translation>
    </message>
    <message>
        <source>Logarithmic axis</source>
        <translation>对数轴</translation>
    </message>
    <message>
        <source>Logarithmic loss axis</source>
        <translation>损失对数轴</translation>
    </message>
    <message>
        <source>Looking…</source>
        <translation>正在查找…</translation>
    </message>
    <message>
        <source>Loss</source>
        <translation>损失</translation>
    </message>
    <message>
        <source>Loss of each layer</source>
        <translation>各层的损失量</translation>
    </message>
    <message>
        <source>Loss over learning rate</source>
        <translation>损失随学习率的变化</translation>
    </message>
    <message>
        <source>Loss over steps</source>
        <translation>损失随步数的变化</translation>
    </message>
    <message>
        <source>Loss ratio (off/on)</source>
        <translation>损失比（关/开）</translation>
    </message>
    <message>
        <source>Loss {} at step {:,}, falling</source>
        <translation>损失 {}，第 {:,} 步，下降</translation>
    </message>
    <message>
        <source>Loss {} at step {:,}, rising</source>
        <translation>损失 {}，第 {:,} 步，上升</translation>
    </message>
    <message>
        <source>Loss {} at step {:,}, steady</source>
        <translation>损失 {}，第 {:,} 步，平稳</translation>
    </message>
    <message>
        <source>Loss, {}; {}</source>
        <translation>损失，{}；{}</translation>
    </message>
    <message>
        <source>Lower the learning rate to {:.2g}</source>
        <translation>将学习率降到 {:.2g}</translation>
    </message>
    <message>
        <source>Lowest validation loss</source>
        <translation>最低验证损失</translation>
    </message>
    <message>
        <source>MLP layers matter most</source>
        <translation>MLP 层最重要</translation>
    </message>
    <message>
        <source>MNIST tutorial: rank 1 on the 9s</source>
        <translation>MNIST 教程：用秩 1 学习 9</translation>
    </message>
    <message>
        <source>MNIST, 28 × 28</source>
        <translation>MNIST，28 × 28</translation>
    </message>
    <message>
        <source>Make it the default rank; none of {} needs more to keep this share.</source>
        <translation>设为默认秩；{} 中没有一层需要更多就能保留这一比例。</translation>
    </message>
    <message>
        <source>Masked language modelling</source>
        <translation>掩码语言建模</translation>
    </message>
    <message>
        <source>Matrices and images ({});;All files (*)</source>
        <translation>矩阵和图片 ({});;所有文件 (*)</translation>
    </message>
    <message>
        <source>Max grad norm: what the norm of all gradients together is clipped to; 0: no clipping.</source>
        <translation>最大梯度范数：所有梯度总范数的裁剪上限；0：不裁剪。</translation>
    </message>
    <message>
        <source>Max new tokens</source>
        <translation>最多新 token 数</translation>
    </message>
    <message>
        <source>Max norm</source>
        <translation>最大范数</translation>
    </message>
    <message>
        <source>Maximal-update adapters, arXiv 2602.06204</source>
        <translation>最大更新适配器，arXiv 2602.06204</translation>
    </message>
    <message>
        <source>Measured at step {:,}: the validation loss goes from {} to {} ({}{}). It can be undone: Run → Revert to before the last edit.</source>
        <translation>在第 {:,} 步测得：验证损失从 {} 变为 {}（{}{}）。可以撤销：运行 → 回退到上次修改之前。</translation>
    </message>
    <message>
        <source>Measured here</source>
        <translation>此处测得</translation>
    </message>
    <message>
        <source>Measured in the model and data that are open</source>
        <translation>在已打开的模型和数据上测量</translation>
    </message>
    <message>
        <source>Measuring between two steps…</source>
        <translation>正在两步之间测量…</translation>
    </message>
    <message>
        <source>Measuring the validation loss at each clip, between two steps…</source>
        <translation>正在两步之间测量每种裁剪的验证损失…</translation>
    </message>
    <message>
        <source>Measuring the validation loss at each cut, between two steps…</source>
        <translation>正在两步之间测量每种截断的验证损失…</translation>
    </message>
    <message>
        <source>Measuring…</source>
        <translation>正在测量…</translation>
    </message>
    <message>
        <source>Median of layers</source>
        <translation>各层中位数</translation>
    </message>
    <message>
        <source>Merge preview</source>
        <translation>合并预览</translation>
    </message>
    <message>
        <source>Merge preview…</source>
        <translation>合并预览…</translation>
    </message>
    <message>
        <source>Merged in</source>
        <translation>合并为</translation>
    </message>
    <message>
        <source>Misclassified images</source>
        <translation>误分类的图片</translation>
    </message>
    <message>
        <source>Model &amp;after</source>
        <translation>之后的模型(&amp;A)</translation>
    </message>
    <message>
        <source>Model &amp;before</source>
        <translation>之前的模型(&amp;B)</translation>
    </message>
    <message>
        <source>Model after</source>
        <translation>之后的模型</translation>
    </message>
    <message>
        <source>Model before</source>
        <translation>之前的模型</translation>
    </message>
    <message>
        <source>Model fac&amp;tory</source>
        <translation>模型工厂(&amp;T)</translation>
    </message>
    <message>
        <source>Models (*.safetensors *.pt *.pth *.bin *.gguf);;All files (*)</source>
        <translation>模型 (*.safetensors *.pt *.pth *.bin *.gguf);;所有文件 (*)</translation>
    </message>
    <message>
        <source>Models in the Hugging Face cache</source>
        <translation>Hugging Face 缓存中的模型</translation>
    </message>
    <message>
        <source>Module</source>
        <translation>模块</translation>
    </message>
    <message>
        <source>Modules of one type in one row, as layers.*.q_proj</source>
        <translation>同类型模块合为一行，如 layers.*.q_proj</translation>
    </message>
    <message>
        <source>Modules of the model</source>
        <translation>模型的模块</translation>
    </message>
    <message>
        <source>Momentum</source>
        <translation>动量</translation>
    </message>
    <message>
        <source>Momentum is for SGD; AdamW uses its betas.</source>
        <translation>动量用于 SGD；AdamW 使用其 beta。</translation>
    </message>
    <message>
        <source>Momentum is for SGD; Muon has its own, 0.95.</source>
        <translation>动量用于 SGD；Muon 有自己的动量 0.95。</translation>
    </message>
    <message>
        <source>More</source>
        <translation>更多</translation>
    </message>
    <message>
        <source>More actions for the run</source>
        <translation>此运行的更多操作</translation>
    </message>
    <message>
        <source>Move a slider, by a notch or an octave</source>
        <translation>移动滑块一格或一个倍频程</translation>
    </message>
    <message>
        <source>Move it to trash</source>
        <translation>移到回收站</translation>
    </message>
    <message>
        <source>Move these runs to the trash?</source>
        <translation>将这些运行移到回收站？</translation>
    </message>
    <message>
        <source>Move this run to the trash?</source>
        <translation>将此运行移到回收站？</translation>
    </message>
    <message>
        <source>Move to trash</source>
        <translation>移到回收站</translation>
    </message>
    <message>
        <source>Moving to the trash</source>
        <translation>正在移到回收站</translation>
    </message>
    <message>
        <source>Moving {} to the trash</source>
        <translation>正在将 {} 移到回收站</translation>
    </message>
    <message>
        <source>Multi-label text classification</source>
        <translation>多标签文本分类</translation>
    </message>
    <message>
        <source>Muon for B, whose columns become alike; AdamW for A and all else</source>
        <translation>B 用 Muon（其各列趋于相似）；A 及其余参数用 AdamW</translation>
    </message>
    <message>
        <source>NF4 with double quantization, packed layer by layer: QLoRA&apos;s</source>
        <translation>带双重量化的 NF4，逐层打包：QLoRA 的做法</translation>
    </message>
    <message>
        <source>Name a folder for the adapter.</source>
        <translation>请指定适配器的文件夹。</translation>
    </message>
    <message>
        <source>Name of a repository</source>
        <translation>仓库名称</translation>
    </message>
    <message>
        <source>Needs {}</source>
        <translation>需要 {}</translation>
    </message>
    <message>
        <source>New task and old task over steps</source>
        <translation>新任务与旧任务随步数的变化</translation>
    </message>
    <message>
        <source>News: {}</source>
        <translation>消息：{}</translation>
    </message>
    <message>
        <source>Next or previous control</source>
        <translation>下一个或上一个控件</translation>
    </message>
    <message>
        <source>Next panel</source>
        <translation>下一个面板</translation>
    </message>
    <message>
        <source>No PNG could be made: {}.</source>
        <translation>无法生成 PNG：{}。</translation>
    </message>
    <message>
        <source>No hint: no σ₁ stands alone, no direction is unused, and no effective rank is falling.</source>
        <translation>没有提示：没有孤立的 σ₁，没有未使用的方向，有效秩也没有下降。</translation>
    </message>
    <message>
        <source>No loss yet.</source>
        <translation>尚无损失。</translation>
    </message>
    <message>
        <source>No model is open. Open the base and its data first.</source>
        <translation>没有打开的模型。请先打开基座及其数据。</translation>
    </message>
    <message>
        <source>No model yet.</source>
        <translation>尚无模型。</translation>
    </message>
    <message>
        <source>No other run has both fewer parameters and a lower loss</source>
        <translation>没有其他运行同时参数更少且损失更低</translation>
    </message>
    <message>
        <source>No runs yet.</source>
        <translation>尚无运行。</translation>
    </message>
    <message>
        <source>No runs yet: the first training step creates one.</source>
        <translation>尚无运行：第一个训练步会创建一个。</translation>
    </message>
    <message>
        <source>No sound can be played here. Install PySide6-Addons, or one of pw-play, paplay, aplay.</source>
        <translation>此处无法播放声音。请安装 PySide6-Addons，或 pw-play、paplay、aplay 之一。</translation>
    </message>
    <message>
        <source>No spectrum yet.</source>
        <translation>尚无谱。</translation>
    </message>
    <message>
        <source>No step yet. Train (Space) is available once the model has loaded.</source>
        <translation>尚未训练。模型加载后即可训练（空格键）。</translation>
    </message>
    <message>
        <source>No validation yet.</source>
        <translation>尚无验证。</translation>
    </message>
    <message>
        <source>None</source>
        <translation>无</translation>
    </message>
    <message>
        <source>Note</source>
        <translation>备注</translation>
    </message>
    <message>
        <source>Notes</source>
        <translation>说明</translation>
    </message>
    <message>
        <source>Nothing but zeros: the rank is 0.</source>
        <translation>全为零：秩为 0。</translation>
    </message>
    <message>
        <source>Nothing has been saved yet. The first step will be.</source>
        <translation>尚未保存任何内容。第一步将被保存。</translation>
    </message>
    <message>
        <source>Nothing is open</source>
        <translation>没有打开的内容</translation>
    </message>
    <message>
        <source>Nothing is open.</source>
        <translation>没有打开的内容。</translation>
    </message>
    <message>
        <source>Nothing to compare yet.</source>
        <translation>尚无可比较的内容。</translation>
    </message>
    <message>
        <source>Nothing was generated yet.</source>
        <translation>尚未生成。</translation>
    </message>
    <message>
        <source>Nothing was opened yet</source>
        <translation>尚未打开过任何内容</translation>
    </message>
    <message>
        <source>Now choose the training data.</source>
        <translation>现在选择训练数据。</translation>
    </message>
    <message>
        <source>Numbers (*.csv)</source>
        <translation>数值 (*.csv)</translation>
    </message>
    <message>
        <source>Numbers d</source>
        <translation>数的个数 d</translation>
    </message>
    <message>
        <source>Numerical rank</source>
        <translation>数值秩</translation>
    </message>
    <message>
        <source>Of the whole folder</source>
        <translation>整个文件夹</translation>
    </message>
    <message>
        <source>Of training</source>
        <translation>训练所用</translation>
    </message>
    <message>
        <source>Old runs</source>
        <translation>旧运行</translation>
    </message>
    <message>
        <source>On Restart: {} adapted</source>
        <translation>重新开始时：适配 {}</translation>
    </message>
    <message>
        <source>One number for every run</source>
        <translation>所有运行共用一个数</translation>
    </message>
    <message>
        <source>One run after another, in the order of the table</source>
        <translation>按表中顺序逐个运行</translation>
    </message>
    <message>
        <source>Only for {}</source>
        <translation>仅用于 {}</translation>
    </message>
    <message>
        <source>Only language models can generate text.</source>
        <translation>只有语言模型能生成文本。</translation>
    </message>
    <message>
        <source>Only modules with an adapter</source>
        <translation>仅有适配器的模块</translation>
    </message>
    <message>
        <source>Only where the file stores no α, as with loralib</source>
        <translation>仅当文件未存 α 时需要，如 loralib</translation>
    </message>
    <message>
        <source>Open</source>
        <translation>打开</translation>
    </message>
    <message>
        <source>Open &amp;preset</source>
        <translation>打开预设(&amp;P)</translation>
    </message>
    <message>
        <source>Open &amp;recent</source>
        <translation>最近打开(&amp;R)</translation>
    </message>
    <message>
        <source>Open &amp;without saving</source>
        <translation>不保存并打开(&amp;W)</translation>
    </message>
    <message>
        <source>Open a base checkpoint</source>
        <translation>打开基座检查点</translation>
    </message>
    <message>
        <source>Open a model and data</source>
        <translation>打开模型和数据</translation>
    </message>
    <message>
        <source>Open a model and data of your own</source>
        <translation>打开自己的模型和数据</translation>
    </message>
    <message>
        <source>Open adapter</source>
        <translation>打开适配器</translation>
    </message>
    <message>
        <source>Open another base checkpoint</source>
        <translation>打开另一个基座检查点</translation>
    </message>
    <message>
        <source>Open another base…</source>
        <translation>打开另一个基座…</translation>
    </message>
    <message>
        <source>Open checkpoint</source>
        <translation>打开检查点</translation>
    </message>
    <message>
        <source>Open in &amp;workshop</source>
        <translation>在工坊中打开(&amp;W)</translation>
    </message>
    <message>
        <source>Open in the &amp;docks</source>
        <translation>在停靠栏中打开(&amp;D)</translation>
    </message>
    <message>
        <source>Open it in the &amp;workshop</source>
        <translation>在工坊中打开(&amp;W)</translation>
    </message>
    <message>
        <source>Open the base model and the data first; then continue the adapter.</source>
        <translation>请先打开基座模型和数据；再继续该适配器。</translation>
    </message>
    <message>
        <source>Open the settings of the selected run in the docks</source>
        <translation>在停靠栏中打开所选运行的设置</translation>
    </message>
    <message>
        <source>Open the zip of a run</source>
        <translation>打开运行的 zip</translation>
    </message>
    <message>
        <source>Open the zip of a run…</source>
        <translation>打开运行的 zip…</translation>
    </message>
    <message>
        <source>Opening</source>
        <translation>正在打开</translation>
    </message>
    <message>
        <source>Opening the run</source>
        <translation>正在打开运行</translation>
    </message>
    <message>
        <source>Opening was cancelled, so the queue is paused.</source>
        <translation>打开已取消，队列因此暂停。</translation>
    </message>
    <message>
        <source>Opening {}…</source>
        <translation>正在打开 {}…</translation>
    </message>
    <message>
        <source>Open…</source>
        <translation>打开…</translation>
    </message>
    <message>
        <source>Optimi&amp;zer</source>
        <translation>优化器(&amp;Z)</translation>
    </message>
    <message>
        <source>Optimizer</source>
        <translation>优化器</translation>
    </message>
    <message>
        <source>Optimizer
state</source>
        <translation>优化器
状态</translation>
    </message>
    <message>
        <source>Optimizer: what turns gradients into steps.</source>
        <translation>优化器：把梯度变成更新步。</translation>
    </message>
    <message>
        <source>Other programs</source>
        <translation>其他程序</translation>
    </message>
    <message>
        <source>Over time</source>
        <translation>随时间</translation>
    </message>
    <message>
        <source>P = H·G·Π·H·B over all weights at once, never held. Le et al. 2013; Li et al. 2018, Aghajanyan et al. 2020. Up to 3 million weights</source>
        <translation>P = H·G·Π·H·B 一次作用于所有权重，从不保存。Le 等 2013；Li 等 2018，Aghajanyan 等 2020。最多 300 万个权重</translation>
    </message>
    <message>
        <source>Packing the run</source>
        <translation>正在打包运行</translation>
    </message>
    <message>
        <source>Page</source>
        <translation>页面</translation>
    </message>
    <message>
        <source>Parameters</source>
        <translation>参数</translation>
    </message>
    <message>
        <source>Parameters per layer</source>
        <translation>各层参数</translation>
    </message>
    <message>
        <source>Path</source>
        <translation>路径</translation>
    </message>
    <message>
        <source>Path of the model</source>
        <translation>模型路径</translation>
    </message>
    <message>
        <source>Patience</source>
        <translation>耐心次数</translation>
    </message>
    <message>
        <source>Pause</source>
        <translation>暂停</translation>
    </message>
    <message>
        <source>Pause the &amp;queue</source>
        <translation>暂停队列(&amp;Q)</translation>
    </message>
    <message>
        <source>Paused</source>
        <translation>已暂停</translation>
    </message>
    <message>
        <source>Peak memory</source>
        <translation>峰值内存</translation>
    </message>
    <message>
        <source>Peak step size of the optimizer. LoRA needs about ten times that of full fine-tuning.</source>
        <translation>优化器的峰值步长。LoRA 约需全量微调的十倍。</translation>
    </message>
    <message>
        <source>Per-layer &amp;rank…</source>
        <translation>单层秩(&amp;R)…</translation>
    </message>
    <message>
        <source>Per-layer rank; grey: the default rank. Double-click to edit</source>
        <translation>单层秩；灰色：默认秩。双击编辑</translation>
    </message>
    <message>
        <source>Picture (*.png)</source>
        <translation>图片 (*.png)</translation>
    </message>
    <message>
        <source>Plain gradient steps, with momentum if it is set</source>
        <translation>普通梯度步，设置了动量则使用动量</translation>
    </message>
    <message>
        <source>Play plot as sound</source>
        <translation>以声音播放图</translation>
    </message>
    <message>
        <source>Plots (text)</source>
        <translation>图（文字）</translation>
    </message>
    <message>
        <source>Positions</source>
        <translation>位置</translation>
    </message>
    <message>
        <source>Preference (DPO)</source>
        <translation>偏好 (DPO)</translation>
    </message>
    <message>
        <source>Preset</source>
        <translation>预设</translation>
    </message>
    <message>
        <source>Preset or task, and the variant</source>
        <translation>预设或任务，以及变体</translation>
    </message>
    <message>
        <source>Press Generate: the model continues the prompt with the adapter off and on. Generate again later; earlier texts stay here for comparison.</source>
        <translation>按“生成”：模型在适配器关与开时分别续写提示词。之后可再次生成；较早的文本会保留以供比较。</translation>
    </message>
    <message>
        <source>Press the button, or open the list, that has the focus</source>
        <translation>按下获得焦点的按钮，或打开该列表</translation>
    </message>
    <message>
        <source>Previous panel</source>
        <translation>上一个面板</translation>
    </message>
    <message>
        <source>Program</source>
        <translation>程序</translation>
    </message>
    <message>
        <source>Progress</source>
        <translation>进度</translation>
    </message>
    <message>
        <source>Progress of opening the adapter</source>
        <translation>打开适配器的进度</translation>
    </message>
    <message>
        <source>Progress of the comparison</source>
        <translation>比较进度</translation>
    </message>
    <message>
        <source>Progress of the download</source>
        <translation>下载进度</translation>
    </message>
    <message>
        <source>Progress of the export</source>
        <translation>导出进度</translation>
    </message>
    <message>
        <source>Progress of the measurement</source>
        <translation>测量进度</translation>
    </message>
    <message>
        <source>Progress of the run</source>
        <translation>运行进度</translation>
    </message>
    <message>
        <source>Progress of the work</source>
        <translation>处理进度</translation>
    </message>
    <message>
        <source>Projection</source>
        <translation>投影</translation>
    </message>
    <message>
        <source>Prompt</source>
        <translation>提示词</translation>
    </message>
    <message>
        <source>Proved by</source>
        <translation>验证依据</translation>
    </message>
    <message>
        <source>Pseudo-inverse X = {}</source>
        <translation>伪逆 X = {}</translation>
    </message>
    <message>
        <source>Queue</source>
        <translation>队列</translation>
    </message>
    <message>
        <source>Queue finished: {} done.</source>
        <translation>队列完成：{} 个已完成。</translation>
    </message>
    <message>
        <source>Queue…</source>
        <translation>队列…</translation>
    </message>
    <message>
        <source>Quit</source>
        <translation>退出</translation>
    </message>
    <message>
        <source>Rank</source>
        <translation>秩</translation>
    </message>
    <message>
        <source>Rank at the cut</source>
        <translation>截断处的秩</translation>
    </message>
    <message>
        <source>Rank of {}</source>
        <translation>{} 的秩</translation>
    </message>
    <message>
        <source>Rank r</source>
        <translation>秩 r</translation>
    </message>
    <message>
        <source>Space</source>
        <translation>空间</translation>
    </message>
    <message>
        <source>Steps between two validations; 0: as often as 3 % of the time allow. Which step is the best one is then a matter of the clock, and so is a patient run&apos;s end.</source>
        <translation>两次验证之间的步数；0：在 3 % 的时间允许的范围内尽量频繁。此时哪一步最佳取决于时钟，带耐心的运行何时结束也一样。</translation>
    </message>
    <message>
        <source>Table 5: which layers</source>
        <translation>表 5：哪些层</translation>
    </message>
    <message>
        <source>Table 6: which rank</source>
        <translation>表 6：哪个秩</translation>
    </message>
    <message>
        <source>Table 7: amplification</source>
        <translation>表 7：放大</translation>
    </message>
    <message>
        <source>Ten times the rate</source>
        <translation>十倍学习率</translation>
    </message>
    <message>
        <source>Uni-LoRA</source>
        <translation>Uni-LoRA</translation>
    </message>
    <message>
        <source>What the d numbers of a random subspace move.</source>
        <translation>随机子空间的 d 个数移动什么。</translation>
    </message>
    <message>
        <source>What waits and has not begun. A search chooses here, one run after another: to a cluster goes a grid</source>
        <translation>等待中且尚未开始的运行。搜索在本机逐个选择运行：可发往集群的是网格</translation>
    </message>
    <message>
        <source>keeps what comes nearest; what is lost is shown afterwards</source>
        <translation>保留最接近的结果；丢失的部分随后显示</translation>
    </message>
    <message>
        <source>not applicable ({})</source>
        <translation>不适用（{}）</translation>
    </message>
    <message>
        <source>would discard {} of {}</source>
        <translation>将舍去{1}的 {0}</translation>
    </message>
    <message>
        <source>Each error is ‖ΔW − ΣwΔW‖/‖ΣwΔW‖ of the worst layer. Adding the factors separately is not the same as adding the ΔWs. TIES, DARE and magnitude trim ΔW itself, as PEFT&apos;s ties_svd; what PEFT calls ties trims A and B apart.</source>
        <translation>每个误差为最差层的 ‖ΔW − ΣwΔW‖/‖ΣwΔW‖。分别相加因子并不等于相加 ΔW。TIES、DARE 和 magnitude 修剪的是 ΔW 本身，同 PEFT 的 ties_svd；PEFT 所说的 ties 则分别修剪 A 和 B。</translation>
    </message>
    <message>
        <source> (base model {})</source>
        <translation> （基座模型 {}）</translation>
    </message>
    <message>
        <source> seeds</source>
        <translation> 个种子</translation>
    </message>
    <message>
        <source> · {:,} still to be chosen</source>
        <translation> · 还有 {:,} 个待选</translation>
    </message>
    <message>
        <source>&amp;Add a lane</source>
        <translation>添加赛道(&amp;A)</translation>
    </message>
    <message>
        <source>&amp;Add search</source>
        <translation>添加搜索(&amp;A)</translation>
    </message>
    <message>
        <source>&amp;Continue</source>
        <translation>继续(&amp;C)</translation>
    </message>
    <message>
        <source>&amp;Continue it there</source>
        <translation>在那里继续(&amp;C)</translation>
    </message>
    <message>
        <source>&amp;Follow</source>
        <translation>跟踪(&amp;F)</translation>
    </message>
    <message>
        <source>&amp;Learn</source>
        <translation>学习(&amp;L)</translation>
    </message>
    <message>
        <source>&amp;Measure it here</source>
        <translation>在此测量(&amp;M)</translation>
    </message>
    <message>
        <source>&amp;New race</source>
        <translation>新竞赛(&amp;N)</translation>
    </message>
    <message>
        <source>&amp;Next lesson</source>
        <translation>下一课(&amp;N)</translation>
    </message>
    <message>
        <source>&amp;Pause</source>
        <translation>暂停(&amp;P)</translation>
    </message>
    <message>
        <source>&amp;Run it and see</source>
        <translation>运行并查看(&amp;R)</translation>
    </message>
    <message>
        <source>&amp;Save and end the run</source>
        <translation>保存并结束运行(&amp;S)</translation>
    </message>
    <message>
        <source>&amp;Stack the lanes</source>
        <translation>堆叠赛道(&amp;S)</translation>
    </message>
    <message>
        <source>&amp;Start</source>
        <translation>开始(&amp;S)</translation>
    </message>
    <message>
        <source>&amp;Stop it there</source>
        <translation>在那里停止(&amp;S)</translation>
    </message>
    <message>
        <source>&amp;Token</source>
        <translation>令牌(&amp;T)</translation>
    </message>
    <message>
        <source>&amp;Yes, {}</source>
        <translation>是，{}(&amp;Y)</translation>
    </message>
    <message>
        <source>90 % of it</source>
        <translation>其 90 %</translation>
    </message>
    <message>
        <source>A 784-200-200-10 net of 199,210 random weights, moved by 750 numbers in random directions. Li et al. (2018) found that they reach 90 % of full training.</source>
        <translation>一个 784-200-200-10 网络，含 199,210 个随机权重，由 750 个数沿随机方向移动。Li et al. (2018) 发现它们达到全量训练的 90 %。</translation>
    </message>
    <message>
        <source>A P of each tensor, with unit columns: every tensor moves alike, whatever its size. As Aghajanyan et al. 2020 compute it</source>
        <translation>每个张量各有一个 P，各列为单位长度：无论大小，每个张量移动得一样远。Aghajanyan 等 2020 即如此计算</translation>
    </message>
    <message>
        <source>A batch has as many examples as its tokens allow.</source>
        <translation>一个批次的样本数由其token 数决定。</translation>
    </message>
    <message>
        <source>A folder that all of its machines see, by its whole path</source>
        <translation>其所有机器都能看到的文件夹，用完整路径</translation>
    </message>
    <message>
        <source>A lane for each rank, as in 1, 2, 4, 8</source>
        <translation>每个秩一条赛道，如 1, 2, 4, 8</translation>
    </message>
    <message>
        <source>A prompt for the mixture</source>
        <translation>用于混合的提示词</translation>
    </message>
    <message>
        <source>A race has {} lanes at most.</source>
        <translation>一场竞赛最多 {} 条赛道。</translation>
    </message>
    <message>
        <source>A search needs Optuna, which is not installed here: pip install &apos;lora-lab[search]&apos;.</source>
        <translation>搜索需要 Optuna，此处未安装：pip install &apos;lora-lab[search]&apos;。</translation>
    </message>
    <message>
        <source>A sweep was on a cluster when the window was closed: {}.</source>
        <translation>窗口关闭时有一个扫描在集群上：{}。</translation>
    </message>
    <message>
        <source>A&amp;ddress</source>
        <translation>地址(&amp;D)</translation>
    </message>
    <message>
        <source>About two bits a number</source>
        <translation>每个数约两比特</translation>
    </message>
    <message>
        <source>About {}: some {:,} runs of {:,} steps, each at its best learning rate.</source>
        <translation>约 {}：大约 {:,} 个运行，每个 {:,} 步，各用其最佳学习率。</translation>
    </message>
    <message>
        <source>About {}: {:,} rounds of {:,} steps over one base.</source>
        <translation>约 {}：在同一基座上 {:,} 轮，每轮 {:,} 步。</translation>
    </message>
    <message>
        <source>About {}: {:,} runs of {:,} steps over {:,} weights.</source>
        <translation>约 {}：{:,} 个运行，每个 {:,} 步，{:,} 个权重。</translation>
    </message>
    <message>
        <source>Action, panel, setting or page</source>
        <translation>操作、面板、设置或页面</translation>
    </message>
    <message>
        <source>AdamW on gradients that each factor preconditions for the other, so that a step does not depend on how ΔW is divided between A and B. Zhang &amp; Pilanci 2024</source>
        <translation>AdamW 作用于由每个因子为另一因子预条件化的梯度，使一步不依赖 ΔW 在 A 与 B 之间的分配。Zhang &amp; Pilanci 2024</translation>
    </message>
    <message>
        <source>AdamW whose averages take a byte for each number, a quarter of the memory. Dettmers et al. 2022</source>
        <translation>AdamW，其平均值每个数占一个字节，为四分之一的内存。Dettmers et al. 2022</translation>
    </message>
    <message>
        <source>Adapter mix</source>
        <translation>适配器混合</translation>
    </message>
    <message>
        <source>Add adapter</source>
        <translation>添加适配器</translation>
    </message>
    <message>
        <source>Add adapters of this base, and drag their strengths.</source>
        <translation>添加此基座的适配器，并拖动其强度。</translation>
    </message>
    <message>
        <source>All lanes in one batch: the same result but for rounding</source>
        <translation>所有赛道合为一批：除舍入外结果相同</translation>
    </message>
    <message>
        <source>All lanes in one batch: the same result but for rounding, quicker for small nets</source>
        <translation>所有赛道合为一批：除舍入外结果相同，小网络更快</translation>
    </message>
    <message>
        <source>Another job continues each run from its last checkpoint over there</source>
        <translation>另一个作业从那里的最后检查点继续每个运行</translation>
    </message>
    <message>
        <source>Another lane that continues from here</source>
        <translation>从此处继续的另一条赛道</translation>
    </message>
    <message>
        <source>As you predicted.</source>
        <translation>与预测一致。</translation>
    </message>
    <message>
        <source>Ask the data</source>
        <translation>查询数据</translation>
    </message>
    <message>
        <source>Asking the cluster…</source>
        <translation>正在询问集群…</translation>
    </message>
    <message>
        <source>Asks the cluster again and again, until the sweep ends</source>
        <translation>不断询问集群，直到扫描结束</translation>
    </message>
    <message>
        <source>Asks the head, and its python for its version of the lab</source>
        <translation>询问头节点，并向其 Python 询问实验室版本</translation>
    </message>
    <message>
        <source>Attach</source>
        <translation>连接</translation>
    </message>
    <message>
        <source>Batch tokens</source>
        <translation>批次token 数</translation>
    </message>
    <message>
        <source>By a note of the desktop, for runs of over a minute, while the lab is behind</source>
        <translation>桌面通知：运行超过一分钟且实验室不在前台时</translation>
    </message>
    <message>
        <source>C&amp;heck</source>
        <translation>检查(&amp;H)</translation>
    </message>
    <message>
        <source>C&amp;hoice</source>
        <translation>选择(&amp;H)</translation>
    </message>
    <message>
        <source>CPU c&amp;ores of each run</source>
        <translation>每个运行的 CPU 核心数(&amp;O)</translation>
    </message>
    <message>
        <source>Choice of runs</source>
        <translation>运行的选择</translation>
    </message>
    <message>
        <source>Clone</source>
        <translation>克隆</translation>
    </message>
    <message>
        <source>Cluster…</source>
        <translation>集群…</translation>
    </message>
    <message>
        <source>Colour each token of the row by its loss now</source>
        <translation>按当前损失为该行的每个 token 着色</translation>
    </message>
    <message>
        <source>Commands found</source>
        <translation>找到的命令</translation>
    </message>
    <message>
        <source>Continue in the &amp;background</source>
        <translation>在后台继续(&amp;B)</translation>
    </message>
    <message>
        <source>Continue it there</source>
        <translation>在那里继续</translation>
    </message>
    <message>
        <source>Cosine of the ΔWs (−1: they undo each other, 0: neither disturbs the other), then the smallest angle of what they read and of what they write; {:,} layers, at step {:,}.</source>
        <translation>ΔW 的余弦（−1：相互抵消，0：互不干扰），以及它们所读与所写子空间的最小夹角；{:,} 层，第 {:,} 步。</translation>
    </message>
    <message>
        <source>Cosines and principal angles of the adapters, layer by layer</source>
        <translation>各适配器的余弦与主夹角，逐层</translation>
    </message>
    <message>
        <source>Curve</source>
        <translation>曲线</translation>
    </message>
    <message>
        <source>Curves</source>
        <translation>曲线</translation>
    </message>
    <message>
        <source>DID with a learned factor λ for each tensor, which are among the d numbers. Aghajanyan et al. 2020</source>
        <translation>DID 加上每个张量一个学习得到的因子 λ，它们计入 d 个数。Aghajanyan 等 2020</translation>
    </message>
    <message>
        <source>Differences among the best runs: {}</source>
        <translation>最佳运行之间的差异：{}</translation>
    </message>
    <message>
        <source>Digits: pixels shuffled</source>
        <translation>数字：像素打乱</translation>
    </message>
    <message>
        <source>Direction {} writes {}.</source>
        <translation>方向 {} 写出 {}。</translation>
    </message>
    <message>
        <source>Directions</source>
        <translation>方向</translation>
    </message>
    <message>
        <source>Does the head of this sweep have another address now?</source>
        <translation>此扫描的头节点现在有另一个地址吗？</translation>
    </message>
    <message>
        <source>Drop</source>
        <translation>移除</translation>
    </message>
    <message>
        <source>Edit after step {:,}</source>
        <translation>第 {:,} 步之后的修改</translation>
    </message>
    <message>
        <source>Embedding and head get a weight each, where they share one in the base</source>
        <translation>当嵌入与输出头在基座中共用一个权重时，各得一个权重</translation>
    </message>
    <message>
        <source>End the s&amp;earch</source>
        <translation>结束搜索(&amp;E)</translation>
    </message>
    <message>
        <source>Ends the job; what was saved of its runs stays there</source>
        <translation>结束作业；其运行已保存的内容留在那里</translation>
    </message>
    <message>
        <source>Every action, panel, setting and page by name</source>
        <translation>按名称查找任何操作、面板、设置和页面</translation>
    </message>
    <message>
        <source>Find a command</source>
        <translation>查找命令</translation>
    </message>
    <message>
        <source>Find a command…</source>
        <translation>查找命令…</translation>
    </message>
    <message>
        <source>Find the validation rows that excite each direction most; some seconds</source>
        <translation>查找最能激发每个方向的验证行；需几秒</translation>
    </message>
    <message>
        <source>Folder th&amp;ere</source>
        <translation>那里的文件夹(&amp;E)</translation>
    </message>
    <message>
        <source>Folder there</source>
        <translation>那里的文件夹</translation>
    </message>
    <message>
        <source>Follow it</source>
        <translation>跟踪它</translation>
    </message>
    <message>
        <source>Generated text, adapters off and the mixture on</source>
        <translation>生成的文本，适配器关与混合开</translation>
    </message>
    <message>
        <source>Gradient norm</source>
        <translation>梯度范数</translation>
    </message>
    <message>
        <source>Horizontal axis</source>
        <translation>横轴</translation>
    </message>
    <message>
        <source>How few numbers, thrown at random into all weights, can learn this task?</source>
        <translation>随机散布到所有权重上的数，最少需要多少个才能学会此任务？</translation>
    </message>
    <message>
        <source>How many numbers?</source>
        <translation>需要多少个数？</translation>
    </message>
    <message>
        <source>How many numbers?…</source>
        <translation>需要多少个数？…</translation>
    </message>
    <message>
        <source>How the prompt is put to the model</source>
        <translation>提示词以何种形式交给模型</translation>
    </message>
    <message>
        <source>How the runs are chosen</source>
        <translation>运行如何选择</translation>
    </message>
    <message>
        <source>Images with text</source>
        <translation>图文</translation>
    </message>
    <message>
        <source>In a process of its own: runs of over a minute continue when it is closed</source>
        <translation>在独立进程中：超过一分钟的运行在关闭窗口后继续</translation>
    </message>
    <message>
        <source>In the panels of the main window, as its news come</source>
        <translation>随消息到来显示在主窗口的面板中</translation>
    </message>
    <message>
        <source>In {} two runs of rank {} share {:.2f} of the first direction; chance makes {:.3f}.</source>
        <translation>在 {} 中，两个秩为 {} 的运行共享第一方向的 {:.2f}；随机为 {:.3f}。</translation>
    </message>
    <message>
        <source>Interference</source>
        <translation>干扰</translation>
    </message>
    <message>
        <source>Interference of the adapters</source>
        <translation>适配器之间的干扰</translation>
    </message>
    <message>
        <source>Is it the rank that counts, or how many numbers there are?</source>
        <translation>起作用的是秩，还是参数的数量？</translation>
    </message>
    <message>
        <source>It can continue in the background; the lab shows it again when it is opened. Or the current step is finished, the adapter saved, and the run ended.</source>
        <translation>它可以在后台继续；再次打开实验室时会重新显示。或者完成当前步，保存适配器并结束运行。</translation>
    </message>
    <message>
        <source>It is otherwise: {}</source>
        <translation>并非如此：{}</translation>
    </message>
    <message>
        <source>It was sent to {}, and {} stands above. The token goes where you say.</source>
        <translation>它被发送到 {}，而上面是 {}。令牌会发往您指定的地方。</translation>
    </message>
    <message>
        <source>Keep the lab open</source>
        <translation>保持实验室打开</translation>
    </message>
    <message>
        <source>Keep this lane as a run, and open it in the window</source>
        <translation>将此赛道保存为运行，并在窗口中打开</translation>
    </message>
    <message>
        <source>Keep training without the window</source>
        <translation>无窗口继续训练</translation>
    </message>
    <message>
        <source>Lane {} is kept as a run: {}</source>
        <translation>赛道 {} 已保存为运行：{}</translation>
    </message>
    <message>
        <source>Lanes</source>
        <translation>赛道</translation>
    </message>
    <message>
        <source>Last step {:,}</source>
        <translation>最后一步 {:,}</translation>
    </message>
    <message>
        <source>Layer whose directions are shown</source>
        <translation>显示其方向的层</translation>
    </message>
    <message>
        <source>Layers to adapt: all-linear, all-linear+conv, all-linear+experts, a module path or its end; none: all linear layers, and the convolutions where these hold most of the weights.</source>
        <translation>要适配的层：all-linear、all-linear+conv、all-linear+experts、模块路径或其结尾；留空：所有线性层，若卷积占大部分权重则也包括卷积。</translation>
    </message>
    <message>
        <source>Learning rate of lane {}</source>
        <translation>赛道 {} 的学习率</translation>
    </message>
    <message>
        <source>Lessons</source>
        <translation>课程</translation>
    </message>
    <message>
        <source>Lessons…</source>
        <translation>课程…</translation>
    </message>
    <message>
        <source>LoRA, random subspaces and their neighbours at the same trained count</source>
        <translation>相同训练参数量下的 LoRA、随机子空间及其近邻</translation>
    </message>
    <message>
        <source>Looking whether it was read before</source>
        <translation>正在查看是否已读取过</translation>
    </message>
    <message>
        <source>Loss of all lanes over steps</source>
        <translation>各赛道损失随步数的变化</translation>
    </message>
    <message>
        <source>Loss per token at step {:,}: mean of the label tokens {} → {} (adapter off → on)</source>
        <translation>第 {:,} 步每个 token 的损失：标签 token 平均 {} → {}（适配器关 → 开）</translation>
    </message>
    <message>
        <source>MNIST: 750 numbers from nothing</source>
        <translation>MNIST：从零开始的 750 个数</translation>
    </message>
    <message>
        <source>Ma&amp;x length</source>
        <translation>最大长度(&amp;X)</translation>
    </message>
    <message>
        <source>Mark the words that differ with the adapter off and on</source>
        <translation>标出适配器关与开时不同的词</translation>
    </message>
    <message>
        <source>Measure by</source>
        <translation>测量依据</translation>
    </message>
    <message>
        <source>Measuring the file</source>
        <translation>正在测量文件</translation>
    </message>
    <message>
        <source>Memory, GB</source>
        <translation>内存，GB</translation>
    </message>
    <message>
        <source>Moving into the window…</source>
        <translation>正在移入窗口…</translation>
    </message>
    <message>
        <source>Moving out of the window…</source>
        <translation>正在移出窗口…</translation>
    </message>
    <message>
        <source>Moving the run…</source>
        <translation>正在移动运行…</translation>
    </message>
    <message>
        <source>Name a rank at least, as in 1, 2, 4, 8.</source>
        <translation>请至少给出一个秩，如 1, 2, 4, 8。</translation>
    </message>
    <message>
        <source>No further runs are chosen; those made are kept</source>
        <translation>不再选择新的运行；已有的保留</translation>
    </message>
    <message>
        <source>No rows: {}.</source>
        <translation>没有行：{}。</translation>
    </message>
    <message>
        <source>No run stayed finite. Try smaller learning rates.</source>
        <translation>没有运行保持有限。请尝试更小的学习率。</translation>
    </message>
    <message>
        <source>No step yet.</source>
        <translation>尚未训练。</translation>
    </message>
    <message>
        <source>No sweep was sent to a cluster yet.</source>
        <translation>尚未向集群发送扫描。</translation>
    </message>
    <message>
        <source>No tokens are counted: this task does not read text, or the run was recorded before they were.</source>
        <translation>没有 token 计数：此任务不读取文本，或该运行记录于计数之前。</translation>
    </message>
    <message>
        <source>No tokens: {}.</source>
        <translation>没有 token：{}。</translation>
    </message>
    <message>
        <source>No, {}</source>
        <translation>否，{}</translation>
    </message>
    <message>
        <source>Not available now: {}</source>
        <translation>当前不可用：{}</translation>
    </message>
    <message>
        <source>Not recorded yet: this task does not read text, or the run was recorded before this was.</source>
        <translation>尚无记录：此任务不读取文本，或该运行早于此项记录。</translation>
    </message>
    <message>
        <source>Nothing has been measured yet.</source>
        <translation>尚未测量任何内容。</translation>
    </message>
    <message>
        <source>Nothing has moved yet: there are no directions at this step.</source>
        <translation>尚无变化：此步没有方向。</translation>
    </message>
    <message>
        <source>Nothing is called so.</source>
        <translation>没有此名称的内容。</translation>
    </message>
    <message>
        <source>Notify when a long run ends</source>
        <translation>长运行结束时通知</translation>
    </message>
    <message>
        <source>Of step</source>
        <translation>所属步</translation>
    </message>
    <message>
        <source>Of the exact sum and of the chosen method, in the model and data that are open</source>
        <translation>精确和与所选方法的验证损失，在已打开的模型和数据上</translation>
    </message>
    <message>
        <source>Of the head&apos;s dashboard; from outside, of a tunnel to it</source>
        <translation>头节点仪表板的地址；从外部则为通向它的隧道的地址</translation>
    </message>
    <message>
        <source>One P of all weights, with unit columns over all of them. Li et al. 2018</source>
        <translation>所有权重共用一个 P，各列在全部权重上为单位长度。Li 等 2018</translation>
    </message>
    <message>
        <source>One curve of the training</source>
        <translation>训练的一条曲线</translation>
    </message>
    <message>
        <source>One kind of layers: there is nothing to compare.</source>
        <translation>只有一种层：无可比较。</translation>
    </message>
    <message>
        <source>One rate for all ranks</source>
        <translation>所有秩用同一学习率</translation>
    </message>
    <message>
        <source>Only the likeliest tokens whose probabilities sum up to this</source>
        <translation>仅取累计概率达到此值的最可能 token</translation>
    </message>
    <message>
        <source>Open a model first.</source>
        <translation>请先打开模型。</translation>
    </message>
    <message>
        <source>Open a run to see what its directions mean.</source>
        <translation>打开一个运行，查看其方向的含义。</translation>
    </message>
    <message>
        <source>Open a run: its base model is what adapters are mixed over.</source>
        <translation>打开一个运行：适配器在其基座模型上混合。</translation>
    </message>
    <message>
        <source>Open it</source>
        <translation>打开它</translation>
    </message>
    <message>
        <source>Opening the adapter</source>
        <translation>正在打开适配器</translation>
    </message>
    <message>
        <source>Opening the adapters</source>
        <translation>正在打开适配器</translation>
    </message>
    <message>
        <source>Opening the base once for all lanes…</source>
        <translation>正在为所有赛道打开同一基座…</translation>
    </message>
    <message>
        <source>Opening the model to say what it costs…</source>
        <translation>正在打开模型以估算开销…</translation>
    </message>
    <message>
        <source>Opening the task to say what it costs…</source>
        <translation>正在打开任务以估计开销…</translation>
    </message>
    <message>
        <source>Plain LoRA is as good as its variants once the learning rate of each is tuned.</source>
        <translation>各自调好学习率后，普通 LoRA 与其变体一样好。</translation>
    </message>
    <message>
        <source>Preparing the adapters</source>
        <translation>正在准备适配器</translation>
    </message>
    <message>
        <source>Prompt for the mixture</source>
        <translation>用于混合的提示词</translation>
    </message>
    <message>
        <source>Pruni&amp;ng</source>
        <translation>剪枝(&amp;N)</translation>
    </message>
    <message>
        <source>Pruning</source>
        <translation>剪枝</translation>
    </message>
    <message>
        <source>Q8_0, packed layer by layer: the rounding is a twentieth of that of 4</source>
        <translation>Q8_0，逐层打包：舍入误差为 4 位的二十分之一</translation>
    </message>
    <message>
        <source>Questions, each with a prediction and a run that answers</source>
        <translation>问题：各附一个预测和一个给出答案的运行</translation>
    </message>
    <message>
        <source>Queued. Figures appear here as the runs end; the queue shows them.</source>
        <translation>已排入队列。运行结束后图表会出现在此处；队列中可查看这些运行。</translation>
    </message>
    <message>
        <source>Queued. The verdict appears here when the last run has ended.</source>
        <translation>已排入队列。最后一个运行结束后，结论会出现在此处。</translation>
    </message>
    <message>
        <source>Rank of another lane</source>
        <translation>另一条赛道的秩</translation>
    </message>
    <message>
        <source>Rank of lane {}</source>
        <translation>赛道 {} 的秩</translation>
    </message>
    <message>
        <source>Rank or numbers?</source>
        <translation>秩还是参数量？</translation>
    </message>
    <message>
        <source>Rank or numbers?…</source>
        <translation>秩还是参数量？…</translation>
    </message>
    <message>
        <source>Rank race</source>
        <translation>秩竞赛</translation>
    </message>
    <message>
        <source>Rank race…</source>
        <translation>秩竞赛…</translation>
    </message>
    <message>
        <source>Rank that the outcome is truncated to</source>
        <translation>结果截断到的秩</translation>
    </message>
    <message>
        <source>Rank {} is enough here; rank {} is hardly better.</source>
        <translation>这里秩 {} 就足够了；秩 {} 几乎没有更好。</translation>
    </message>
    <message>
        <source>Rank {} is the best of these.</source>
        <translation>秩 {} 是其中最好的。</translation>
    </message>
    <message>
        <source>Ranks</source>
        <translation>秩</translation>
    </message>
    <message>
        <source>Ranks, a lane each</source>
        <translation>秩，各占一条赛道</translation>
    </message>
    <message>
        <source>Read the data again with these columns</source>
        <translation>用这些列重新读取数据</translation>
    </message>
    <message>
        <source>Reading</source>
        <translation>正在读取</translation>
    </message>
    <message>
        <source>Reading the run</source>
        <translation>正在读取运行</translation>
    </message>
    <message>
        <source>Reading the runs…</source>
        <translation>正在读取运行…</translation>
    </message>
    <message>
        <source>Reading the tokens</source>
        <translation>正在读取 token</translation>
    </message>
    <message>
        <source>Reading {}</source>
        <translation>正在读取 {}</translation>
    </message>
    <message>
        <source>Ready</source>
        <translation>就绪</translation>
    </message>
    <message>
        <source>Reason</source>
        <translation>原因</translation>
    </message>
    <message>
        <source>Redo</source>
        <translation>重做</translation>
    </message>
    <message>
        <source>Refresh</source>
        <translation>刷新</translation>
    </message>
    <message>
        <source>Regression on text</source>
        <translation>文本回归</translation>
    </message>
    <message>
        <source>Rejected</source>
        <translation>拒绝</translation>
    </message>
    <message>
        <source>Relative error</source>
        <translation>相对误差</translation>
    </message>
    <message>
        <source>Remo&amp;ve</source>
        <translation>移除(&amp;V)</translation>
    </message>
    <message>
        <source>Remove</source>
        <translation>移除</translation>
    </message>
    <message>
        <source>Remove finished runs from the list; the runs are kept</source>
        <translation>从列表移除已完成的运行；运行本身保留</translation>
    </message>
    <message>
        <source>Remove per-layer ranks and unfreeze all layers</source>
        <translation>移除单层秩并解冻所有层</translation>
    </message>
    <message>
        <source>Remove {}</source>
        <translation>移除 {}</translation>
    </message>
    <message>
        <source>Rename…</source>
        <translation>重命名…</translation>
    </message>
    <message>
        <source>Replace what is there?</source>
        <translation>替换已有内容？</translation>
    </message>
    <message>
        <source>Request rank {} for {}, like the slider</source>
        <translation>为 {1} 请求秩 {0}，与滑块相同</translation>
    </message>
    <message>
        <source>Res&amp;ume</source>
        <translation>恢复(&amp;U)</translation>
    </message>
    <message>
        <source>Reset layout</source>
        <translation>重置布局</translation>
    </message>
    <message>
        <source>Reset per-layer settings</source>
        <translation>重置单层设置</translation>
    </message>
    <message>
        <source>Restart</source>
        <translation>重新开始</translation>
    </message>
    <message>
        <source>Restart with these settings</source>
        <translation>以这些设置重新开始</translation>
    </message>
    <message>
        <source>Restore the step before it, with its settings</source>
        <translation>恢复到该修改之前的一步及其设置</translation>
    </message>
    <message>
        <source>Resume</source>
        <translation>继续</translation>
    </message>
    <message>
        <source>Resume it</source>
        <translation>恢复它</translation>
    </message>
    <message>
        <source>Retention</source>
        <translation>保持集</translation>
    </message>
    <message>
        <source>Retention set: file or folder of the same form with rows of the old task. A few are measured beside the validation rows, and show what the model forgets.</source>
        <translation>保持集：同格式的文件或文件夹，包含旧任务的行。验证时会一并测量其中一部分，显示模型遗忘了什么。</translation>
    </message>
    <message>
        <source>Reuse sett&amp;ings</source>
        <translation>沿用设置(&amp;I)</translation>
    </message>
    <message>
        <source>Revert</source>
        <translation>回退</translation>
    </message>
    <message>
        <source>Revert or branch…</source>
        <translation>回退或建立分支…</translation>
    </message>
    <message>
        <source>Revert to a checkpoint…</source>
        <translation>回退到检查点…</translation>
    </message>
    <message>
        <source>Revert to before the last edit</source>
        <translation>回退到上次修改之前</translation>
    </message>
    <message>
        <source>Reverting drops the steps after the checkpoint from this run. A branch is a new run that starts there with the current settings; this run stays unchanged.</source>
        <translation>回退会丢弃此运行在该检查点之后的步。分支是从该处以当前设置开始的新运行；此运行保持不变。</translation>
    </message>
    <message>
        <source>Rings 256 × 256</source>
        <translation>圆环 256 × 256</translation>
    </message>
    <message>
        <source>Rounding</source>
        <translation>舍入</translation>
    </message>
    <message>
        <source>Rounding alone may make a σ as large as max(m, n)·ε·σ₁</source>
        <translation>仅舍入误差就可使 σ 达到 max(m, n)·ε·σ₁</translation>
    </message>
    <message>
        <source>Rows end to end up to the max length: no padding</source>
        <translation>行首尾相接直到最大长度：无填充</translation>
    </message>
    <message>
        <source>Rows in random order</source>
        <translation>行随机排列</translation>
    </message>
    <message>
        <source>Rows of similar length together: little padding</source>
        <translation>长度相近的行放在一起：填充很少</translation>
    </message>
    <message>
        <source>Rows of the data</source>
        <translation>数据的行</translation>
    </message>
    <message>
        <source>Rows per class</source>
        <translation>各类的行数</translation>
    </message>
    <message>
        <source>RsLoRA</source>
        <translation>RsLoRA</translation>
    </message>
    <message>
        <source>Run</source>
        <translation>运行</translation>
    </message>
    <message>
        <source>Run on</source>
        <translation>运行于</translation>
    </message>
    <message>
        <source>Run on a cluster</source>
        <translation>在集群上运行</translation>
    </message>
    <message>
        <source>Run the code that builds this model?</source>
        <translation>运行构建此模型的代码？</translation>
    </message>
    <message>
        <source>Runs</source>
        <translation>运行</translation>
    </message>
    <message>
        <source>Runs of the grid</source>
        <translation>网格中的运行</translation>
    </message>
    <message>
        <source>Runs of the queue</source>
        <translation>队列中的运行</translation>
    </message>
    <message>
        <source>Runs of the sweep</source>
        <translation>扫描的运行</translation>
    </message>
    <message>
        <source>Runs per combination, each with its own seed</source>
        <translation>每种组合的运行数，各用不同随机种子</translation>
    </message>
    <message>
        <source>Runs that are compared</source>
        <translation>参与比较的运行</translation>
    </message>
    <message>
        <source>Runs that the search makes</source>
        <translation>搜索要进行的运行</translation>
    </message>
    <message>
        <source>Runs…</source>
        <translation>运行…</translation>
    </message>
    <message>
        <source>S&amp;chedule</source>
        <translation>学习率调度(&amp;C)</translation>
    </message>
    <message>
        <source>S&amp;eeds</source>
        <translation>随机种子(&amp;E)</translation>
    </message>
    <message>
        <source>S&amp;teps</source>
        <translation>步数(&amp;T)</translation>
    </message>
    <message>
        <source>S&amp;weep</source>
        <translation>扫描(&amp;W)</translation>
    </message>
    <message>
        <source>SGD&apos;s momentum.</source>
        <translation>SGD 的动量。</translation>
    </message>
    <message>
        <source>SHA-256</source>
        <translation>SHA-256</translation>
    </message>
    <message>
        <source>SSRN 6580122, 2026</source>
        <translation>SSRN 6580122, 2026</translation>
    </message>
    <message>
        <source>SVD bench</source>
        <translation>SVD 实验台</translation>
    </message>
    <message>
        <source>SVD bench…</source>
        <translation>SVD 实验台…</translation>
    </message>
    <message>
        <source>Same number of parameters as this rank in every layer</source>
        <translation>与每层都用此秩时的参数总数相同</translation>
    </message>
    <message>
        <source>Sample matrix</source>
        <translation>示例矩阵</translation>
    </message>
    <message>
        <source>Save adapter</source>
        <translation>保存适配器</translation>
    </message>
    <message>
        <source>Save adapter and end run</source>
        <translation>保存适配器并结束运行</translation>
    </message>
    <message>
        <source>Save as a zip…</source>
        <translation>保存为 zip…</translation>
    </message>
    <message>
        <source>Save in another &amp;folder…</source>
        <translation>保存到其他文件夹(&amp;F)…</translation>
    </message>
    <message>
        <source>Save its adapter</source>
        <translation>保存其适配器</translation>
    </message>
    <message>
        <source>Save plot…</source>
        <translation>保存图…</translation>
    </message>
    <message>
        <source>Save the report</source>
        <translation>保存报告</translation>
    </message>
    <message>
        <source>Save the run as a zip</source>
        <translation>将运行保存为 zip</translation>
    </message>
    <message>
        <source>Save the run in</source>
        <translation>将运行保存到</translation>
    </message>
    <message>
        <source>Save the script</source>
        <translation>保存脚本</translation>
    </message>
    <message>
        <source>Save {}</source>
        <translation>保存 {}</translation>
    </message>
    <message>
        <source>Save {}…</source>
        <translation>保存 {}…</translation>
    </message>
    <message>
        <source>Saved</source>
        <translation>已保存</translation>
    </message>
    <message>
        <source>Saved the adapter of step {:,} in {}</source>
        <translation>已将第 {:,} 步的适配器保存到 {}</translation>
    </message>
    <message>
        <source>Saved {}</source>
        <translation>已保存 {}</translation>
    </message>
    <message>
        <source>Saving</source>
        <translation>保存中</translation>
    </message>
    <message>
        <source>Saving…</source>
        <translation>正在保存…</translation>
    </message>
    <message>
        <source>Say first what you expect</source>
        <translation>先说出你的预期</translation>
    </message>
    <message>
        <source>Scaling s</source>
        <translation>缩放 s</translation>
    </message>
    <message>
        <source>Schulman et al. 2025</source>
        <translation>Schulman et al. 2025</translation>
    </message>
    <message>
        <source>Schulman et al. 2025, LoRA Without Regret</source>
        <translation>Schulman et al. 2025, LoRA Without Regret</translation>
    </message>
    <message>
        <source>Schulman et al. 2025; random labels as in Zhang et al. 2017, arXiv 1611.03530</source>
        <translation>Schulman et al. 2025；随机标签如 Zhang et al. 2017, arXiv 1611.03530</translation>
    </message>
    <message>
        <source>Schulman et al. 2025; tinker-cookbook, sweep of June 2026</source>
        <translation>Schulman et al. 2025；tinker-cookbook，2026 年 6 月的扫描</translation>
    </message>
    <message>
        <source>Score over the number of numbers</source>
        <translation>得分随数的个数的变化</translation>
    </message>
    <message>
        <source>Screen</source>
        <translation>屏幕</translation>
    </message>
    <message>
        <source>Se&amp;nd what waits ({:,})</source>
        <translation>发送等待中的 ({:,})(&amp;N)</translation>
    </message>
    <message>
        <source>Search by name, type or shape</source>
        <translation>按名称、类型或形状搜索</translation>
    </message>
    <message>
        <source>Search the layers</source>
        <translation>搜索层</translation>
    </message>
    <message>
        <source>Search the modules</source>
        <translation>搜索模块</translation>
    </message>
    <message>
        <source>Search the tensors</source>
        <translation>搜索张量</translation>
    </message>
    <message>
        <source>Search, as in layers.*.q_proj</source>
        <translation>搜索，如 layers.*.q_proj</translation>
    </message>
    <message>
        <source>Second adapter</source>
        <translation>第二个适配器</translation>
    </message>
    <message>
        <source>Seed of inits, batches and dropout.</source>
        <translation>初始化、批次和 Dropout 的随机种子。</translation>
    </message>
    <message>
        <source>Seed of the entries that DARE drops</source>
        <translation>DARE 所丢弃元素的随机种子</translation>
    </message>
    <message>
        <source>Seed of what is drawn</source>
        <translation>采样的随机种子</translation>
    </message>
    <message>
        <source>Seeds</source>
        <translation>随机种子</translation>
    </message>
    <message>
        <source>Seeds of each combination</source>
        <translation>每种组合的随机种子</translation>
    </message>
    <message>
        <source>Seeds of each run</source>
        <translation>每个运行的随机种子数</translation>
    </message>
    <message>
        <source>Select all of this t&amp;ype</source>
        <translation>选择所有此类型(&amp;Y)</translation>
    </message>
    <message>
        <source>Sending…</source>
        <translation>正在发送…</translation>
    </message>
    <message>
        <source>Sent to {}; not followed now.</source>
        <translation>已发送到 {}；现在未跟踪。</translation>
    </message>
    <message>
        <source>Sent, runs: {:,}</source>
        <translation>已发送，运行数：{:,}</translation>
    </message>
    <message>
        <source>Sequence to sequence</source>
        <translation>序列到序列</translation>
    </message>
    <message>
        <source>Set rank</source>
        <translation>设置秩</translation>
    </message>
    <message>
        <source>Sets of targets</source>
        <translation>目标集合</translation>
    </message>
    <message>
        <source>Sets separated by semicolons: all-linear; fc1, fc2</source>
        <translation>以分号分隔各集合：all-linear; fc1, fc2</translation>
    </message>
    <message>
        <source>Setting</source>
        <translation>设置</translation>
    </message>
    <message>
        <source>Settings of a run that is not in this queue</source>
        <translation>不在此队列中的运行的设置</translation>
    </message>
    <message>
        <source>Settings of old runs</source>
        <translation>旧运行的设置</translation>
    </message>
    <message>
        <source>Settings that differ</source>
        <translation>不同的设置</translation>
    </message>
    <message>
        <source>Setup</source>
        <translation>配置</translation>
    </message>
    <message>
        <source>Several ranks side by side over one base, on the same batches</source>
        <translation>在同一基座、同样批次上并排比较多个秩</translation>
    </message>
    <message>
        <source>Shape</source>
        <translation>形状</translation>
    </message>
    <message>
        <source>Shape of W as a matrix</source>
        <translation>W 作为矩阵的形状</translation>
    </message>
    <message>
        <source>Share of each ΔW&apos;s entries that is kept</source>
        <translation>每个 ΔW 保留的元素比例</translation>
    </message>
    <message>
        <source>Share of full fine-tuning</source>
        <translation>占全量微调的比例</translation>
    </message>
    <message>
        <source>Share of the adapter&apos;s inputs that is zeroed while training (never while evaluating).</source>
        <translation>训练时将适配器输入置零的比例（评估时从不置零）。</translation>
    </message>
    <message>
        <source>Show all runs</source>
        <translation>显示所有运行</translation>
    </message>
    <message>
        <source>Show everything again and follow the data (or double-click the plot)</source>
        <translation>重新显示全部并跟随数据（或双击图）</translation>
    </message>
    <message>
        <source>Show its &amp;spectrum</source>
        <translation>显示其谱(&amp;S)</translation>
    </message>
    <message>
        <source>Show runs folder</source>
        <translation>显示运行文件夹</translation>
    </message>
    <message>
        <source>Show the &amp;run</source>
        <translation>显示运行(&amp;R)</translation>
    </message>
    <message>
        <source>Shown</source>
        <translation>显示</translation>
    </message>
    <message>
        <source>Simple to look at, but of high rank: a round edge.</source>
        <translation>看起来简单，秩却很高：圆形边缘。</translation>
    </message>
    <message>
        <source>Singular &amp;values</source>
        <translation>奇异值(&amp;V)</translation>
    </message>
    <message>
        <source>Singular values</source>
        <translation>奇异值</translation>
    </message>
    <message>
        <source>Singular values above rounding error</source>
        <translation>大于舍入误差的奇异值</translation>
    </message>
    <message>
        <source>Singular values of W</source>
        <translation>W 的奇异值</translation>
    </message>
    <message>
        <source>Singular values of ΔW</source>
        <translation>ΔW 的奇异值</translation>
    </message>
    <message>
        <source>Singular values of ΔW, a picture per layer</source>
        <translation>ΔW 的奇异值，每层一图</translation>
    </message>
    <message>
        <source>Singular values of ΔW, layer by layer</source>
        <translation>ΔW 的奇异值，逐层</translation>
    </message>
    <message>
        <source>Singular values that are kept</source>
        <translation>保留的奇异值</translation>
    </message>
    <message>
        <source>Singular values that are kept, as a number</source>
        <translation>保留的奇异值个数</translation>
    </message>
    <message>
        <source>Singular values σᵢ of W</source>
        <translation>W 的奇异值 σᵢ</translation>
    </message>
    <message>
        <source>Size</source>
        <translation>大小</translation>
    </message>
    <message>
        <source>Size of the change relative to the frozen weights</source>
        <translation>变化相对于冻结权重的大小</translation>
    </message>
    <message>
        <source>Size of the change relative to the frozen weights. Of several layers: the median; at the edge, the colour of the largest</source>
        <translation>变化相对于冻结权重的大小。多层时为中位数；边缘颜色取最大者</translation>
    </message>
    <message>
        <source>Skip</source>
        <translation>跳过</translation>
    </message>
    <message>
        <source>Small multiples</source>
        <translation>小图组</translation>
    </message>
    <message>
        <source>Smoothed training loss</source>
        <translation>平滑后的训练损失</translation>
    </message>
    <message>
        <source>Smoothing</source>
        <translation>平滑</translation>
    </message>
    <message>
        <source>Smoothing: share of the average before at each step; 0: as measured</source>
        <translation>平滑：每步中先前平均值所占比例；0：按测量值</translation>
    </message>
    <message>
        <source>So far rank {} is the best.</source>
        <translation>到目前为止秩 {} 最好。</translation>
    </message>
    <message>
        <source>So it did at every lower rate that was tried: none is suggested.</source>
        <translation>尝试过的更低学习率也都如此：不作建议。</translation>
    </message>
    <message>
        <source>Something else was opened, so the queue is paused.</source>
        <translation>打开了其他内容，队列因此暂停。</translation>
    </message>
    <message>
        <source>Sor&amp;t by {}</source>
        <translation>按 {} 排序(&amp;T)</translation>
    </message>
    <message>
        <source>Source</source>
        <translation>源</translation>
    </message>
    <message>
        <source>Spectral health</source>
        <translation>谱健康</translation>
    </message>
    <message>
        <source>Spectral health…</source>
        <translation>谱健康…</translation>
    </message>
    <message>
        <source>Spectral norm: the largest σ that is cut</source>
        <translation>谱范数：被截去的最大 σ</translation>
    </message>
    <message>
        <source>Spectrum</source>
        <translation>谱</translation>
    </message>
    <message>
        <source>Speed</source>
        <translation>速度</translation>
    </message>
    <message>
        <source>Stable</source>
        <translation>稳定</translation>
    </message>
    <message>
        <source>Stable rank</source>
        <translation>稳定秩</translation>
    </message>
    <message>
        <source>Stacked {} times as fast.</source>
        <translation>堆叠后快 {} 倍。</translation>
    </message>
    <message>
        <source>Stage 1 of 2 pretrains the base: there is no adapter yet</source>
        <translation>第 1/2 阶段预训练基座：尚无适配器</translation>
    </message>
    <message>
        <source>Stage 1 of 2: {}, {:,} steps. The adapter follows by itself</source>
        <translation>第 1/2 阶段：{}，{:,} 步。随后自动训练适配器</translation>
    </message>
    <message>
        <source>Start again at step 0 with the settings shown</source>
        <translation>以显示的设置从第 0 步重新开始</translation>
    </message>
    <message>
        <source>Start again at step 0 with the ticked modules</source>
        <translation>以勾选的模块从第 0 步重新开始</translation>
    </message>
    <message>
        <source>Start the &amp;queue</source>
        <translation>启动队列(&amp;Q)</translation>
    </message>
    <message>
        <source>Starting the engine…</source>
        <translation>正在启动训练进程…</translation>
    </message>
    <message>
        <source>State</source>
        <translation>状态</translation>
    </message>
    <message>
        <source>State of the queue</source>
        <translation>队列状态</translation>
    </message>
    <message>
        <source>State of the sweep</source>
        <translation>扫描的状态</translation>
    </message>
    <message>
        <source>Step</source>
        <translation>步</translation>
    </message>
    <message>
        <source>Step {:,} of {:,}: rank {} has the least validation loss</source>
        <translation>第 {:,} / {:,} 步：秩 {} 的验证损失最小</translation>
    </message>
    <message>
        <source>Step {:,}, adapter off: {} Adapter on: {}</source>
        <translation>第 {:,} 步，适配器关：{} 适配器开：{}</translation>
    </message>
    <message>
        <source>Step {:,}: the first {} of {} directions, ΔW·x = Σ σ (v·x) u.</source>
        <translation>第 {:,} 步：前 {} 个方向，共 {} 个，ΔW·x = Σ σ (v·x) u。</translation>
    </message>
    <message>
        <source>Steps</source>
        <translation>步数</translation>
    </message>
    <message>
        <source>Steps of each run</source>
        <translation>每个运行的步数</translation>
    </message>
    <message>
        <source>Steps of linear warm-up; half of the run&apos;s steps at most.</source>
        <translation>线性预热的步数；至多为总步数的一半。</translation>
    </message>
    <message>
        <source>Steps of one run.</source>
        <translation>一个运行的步数。</translation>
    </message>
    <message>
        <source>Steps per second</source>
        <translation>每秒步数</translation>
    </message>
    <message>
        <source>Steps to train further</source>
        <translation>继续训练的步数</translation>
    </message>
    <message>
        <source>Steps/s</source>
        <translation>步/秒</translation>
    </message>
    <message>
        <source>Stop</source>
        <translation>停止</translation>
    </message>
    <message>
        <source>Stop in the background</source>
        <translation>停止后台运行</translation>
    </message>
    <message>
        <source>Stop texts</source>
        <translation>停止文本</translation>
    </message>
    <message>
        <source>Stopped</source>
        <translation>已停止</translation>
    </message>
    <message>
        <source>Stopped. What was measured so far stays in the picture.</source>
        <translation>已停止。目前测得的结果保留在图中。</translation>
    </message>
    <message>
        <source>Strength</source>
        <translation>强度</translation>
    </message>
    <message>
        <source>Strength of {}</source>
        <translation>{} 的强度</translation>
    </message>
    <message>
        <source>Strength of {}, as a number</source>
        <translation>{} 的强度，数值</translation>
    </message>
    <message>
        <source>Strong directions of W + ΔW that W does not have: a sign of forgetting</source>
        <translation>W + ΔW 中 W 所没有的强方向：遗忘的迹象</translation>
    </message>
    <message>
        <source>Structure</source>
        <translation>结构</translation>
    </message>
    <message>
        <source>Suggest a rank</source>
        <translation>建议秩</translation>
    </message>
    <message>
        <source>Suggest a rank from the energy (Σσ²) of ΔW, with its validation loss</source>
        <translation>依据 ΔW 的能量（Σσ²）建议秩，并给出验证损失</translation>
    </message>
    <message>
        <source>Suggest a rank…</source>
        <translation>建议秩…</translation>
    </message>
    <message>
        <source>Suggest…</source>
        <translation>建议…</translation>
    </message>
    <message>
        <source>Sweeps on clusters</source>
        <translation>集群上的扫描</translation>
    </message>
    <message>
        <source>System</source>
        <translation>系统</translation>
    </message>
    <message>
        <source>TPE</source>
        <translation>TPE</translation>
    </message>
    <message>
        <source>Tab, Shift+Tab</source>
        <translation>Tab、Shift+Tab</translation>
    </message>
    <message>
        <source>Tabs of the docks that lie here</source>
        <translation>此处停靠栏的标签</translation>
    </message>
    <message>
        <source>Take this lane out; the others continue</source>
        <translation>移除此赛道；其余继续</translation>
    </message>
    <message>
        <source>Taking over the queue that runs in the background…</source>
        <translation>正在接管后台运行的队列…</translation>
    </message>
    <message>
        <source>Tar&amp;gets</source>
        <translation>目标(&amp;G)</translation>
    </message>
    <message>
        <source>Target</source>
        <translation>目标</translation>
    </message>
    <message>
        <source>Target rank</source>
        <translation>目标秩</translation>
    </message>
    <message>
        <source>Targets</source>
        <translation>目标</translation>
    </message>
    <message>
        <source>Task</source>
        <translation>任务</translation>
    </message>
    <message>
        <source>Temperature</source>
        <translation>温度</translation>
    </message>
    <message>
        <source>Temperature, top-p, seed, stop texts, chat template</source>
        <translation>温度、top-p、随机种子、停止文本、对话模板</translation>
    </message>
    <message>
        <source>Tensor</source>
        <translation>张量</translation>
    </message>
    <message>
        <source>Tensors</source>
        <translation>张量</translation>
    </message>
    <message>
        <source>Tensors at the peak of a step: </source>
        <translation>一步中峰值时的张量： </translation>
    </message>
    <message>
        <source>Tensors of the checkpoint</source>
        <translation>检查点的张量</translation>
    </message>
    <message>
        <source>Tenths 3 × 3</source>
        <translation>十分之几 3 × 3</translation>
    </message>
    <message>
        <source>Text classification</source>
        <translation>文本分类</translation>
    </message>
    <message>
        <source>Text ends before the first of them; \n is a new line</source>
        <translation>文本在其中第一个出现之前结束；\n 表示换行</translation>
    </message>
    <message>
        <source>The adapter of step {:,} is saved in {}</source>
        <translation>第 {:,} 步的适配器已保存到 {}</translation>
    </message>
    <message>
        <source>The best learning rate of LoRA is about 10 times that of full training, 15 times in short runs.</source>
        <translation>LoRA 的最佳学习率约为全量训练的 10 倍，短运行中为 15 倍。</translation>
    </message>
    <message>
        <source>The best rank-r fit of W_after − W_before in each layer (Eckart–Young), one tensor at a time, so that models larger than memory work. Biases, norms and embeddings that differ are named and left out.</source>
        <translation>各层 W_之后 − W_之前 的最佳秩 r 近似（Eckart–Young），逐个张量处理，因此大于内存的模型也可以。有差异的偏置、归一化和嵌入会列出并略去。</translation>
    </message>
    <message>
        <source>The change to learn has exactly four singular values: 4, 2, 1 and 0.5. At rank 2 the loss stands on the Eckart–Young tail; drag the rank to 4 and it falls to zero, to 8 and the surplus stays at zero.</source>
        <translation>要学习的变化恰有四个奇异值：4、2、1 和 0.5。秩为 2 时损失停在 Eckart–Young 余项上；把秩拖到 4，损失降到零；拖到 8，多余的方向保持为零。</translation>
    </message>
    <message>
        <source>The current run finishes; no other is started</source>
        <translation>当前运行会完成；不再启动其他运行</translation>
    </message>
    <message>
        <source>The current step is finished and the adapter is saved.</source>
        <translation>完成当前步并保存适配器。</translation>
    </message>
    <message>
        <source>The decomposed matrix</source>
        <translation>分解后的矩阵</translation>
    </message>
    <message>
        <source>The first steps are alike</source>
        <translation>最初几步相同</translation>
    </message>
    <message>
        <source>The first {:,} are opened. Drop the others after them.</source>
        <translation>将打开前 {:,} 个。其余的请稍后再拖放。</translation>
    </message>
    <message>
        <source>The head answers, with Ray {} and this version of the lab.</source>
        <translation>头节点有应答，Ray {}，实验室版本相同。</translation>
    </message>
    <message>
        <source>The intrinsic dimension of this task, by random subspaces of growing size</source>
        <translation>用逐渐增大的随机子空间测量此任务的内在维度</translation>
    </message>
    <message>
        <source>The language is another one from the next start on.</source>
        <translation>语言将在下次启动时更改。</translation>
    </message>
    <message>
        <source>The largest rate tried that did not raise it is suggested.</source>
        <translation>建议使用尝试过的、未使其升高的最大学习率。</translation>
    </message>
    <message>
        <source>The last step, the best by validation loss, or a checkpoint of the run</source>
        <translation>最后一步、验证损失最佳的一步，或运行的某个检查点</translation>
    </message>
    <message>
        <source>The layers are known once the model is loaded.</source>
        <translation>模型加载后才知道有哪些层。</translation>
    </message>
    <message>
        <source>The learning rate is lower now. Space resumes.</source>
        <translation>学习率已降低。按空格键继续。</translation>
    </message>
    <message>
        <source>The learning rate starts again at {} and reaches {} in {:,} steps; </source>
        <translation>学习率重新从 {0} 开始，在 {2:,} 步内达到 {1}； </translation>
    </message>
    <message>
        <source>The learning rate starts again at {}; </source>
        <translation>学习率重新从 {} 开始； </translation>
    </message>
    <message>
        <source>The learning rate stays constant after warm-up</source>
        <translation>预热后学习率保持不变</translation>
    </message>
    <message>
        <source>The line in the plot, by key</source>
        <translation>图中的线，用按键移动</translation>
    </message>
    <message>
        <source>The log of the window&apos;s speed ends here: {}.</source>
        <translation>窗口速度日志到此结束：{}。</translation>
    </message>
    <message>
        <source>The loss did not fall beyond the noise of its batches, so no learning rate is suggested: the adapter has learned what it can here, or the batches are too small to tell.</source>
        <translation>损失的下降没有超过批次噪声，因此不建议学习率：适配器在此已学到所能学的，或批次太小无法判断。</translation>
    </message>
    <message>
        <source>The matrix, a row per line</source>
        <translation>矩阵，每行一行</translation>
    </message>
    <message>
        <source>The middle row is the mean of the others, but no tenth is exact in binary.</source>
        <translation>中间一行是另两行的平均，但十分之几在二进制中都不精确。</translation>
    </message>
    <message>
        <source>The new task and the old one, step by step</source>
        <translation>新任务与旧任务，逐步显示</translation>
    </message>
    <message>
        <source>The numerator of the scaling s = α/r (rsLoRA: α/√r) that multiplies B·A.</source>
        <translation>乘以 B·A 的缩放 s = α/r（rsLoRA：α/√r）的分子。</translation>
    </message>
    <message>
        <source>The page of the handbook (F1)</source>
        <translation>手册页面 (F1)</translation>
    </message>
    <message>
        <source>The page of the handbook on the SVD</source>
        <translation>手册中关于 SVD 的页面</translation>
    </message>
    <message>
        <source>The plot clicked last, as PNG, SVG or CSV</source>
        <translation>上次点击的图，保存为 PNG、SVG 或 CSV</translation>
    </message>
    <message>
        <source>The plot clicked last, as a picture</source>
        <translation>上次点击的图，复制为图片</translation>
    </message>
    <message>
        <source>The plot clicked last: pitch follows its curves; again or Esc stops</source>
        <translation>上次点击的图：音高随曲线变化；再按一次或 Esc 停止</translation>
    </message>
    <message>
        <source>The queue is empty. Enter values above and add runs.</source>
        <translation>队列为空。请在上方输入取值并添加运行。</translation>
    </message>
    <message>
        <source>The row as tokens</source>
        <translation>该行的 token</translation>
    </message>
    <message>
        <source>The run ended at step {:,}.</source>
        <translation>运行已在第 {:,} 步结束。</translation>
    </message>
    <message>
        <source>The run ends at this step and its adapter is saved.</source>
        <translation>运行在此步结束，其适配器会被保存。</translation>
    </message>
    <message>
        <source>The run has ended at step {:,}.</source>
        <translation>运行已在第 {:,} 步结束。</translation>
    </message>
    <message>
        <source>The run is at step {:,}; Resume continues from there.</source>
        <translation>运行位于第 {:,} 步；“继续”将从该处接着训练。</translation>
    </message>
    <message>
        <source>The run is in {}</source>
        <translation>运行位于 {}</translation>
    </message>
    <message>
        <source>The run is not saved. Close the lab?</source>
        <translation>运行尚未保存。关闭本软件？</translation>
    </message>
    <message>
        <source>The run that is open is not saved. Open another one?</source>
        <translation>打开的运行尚未保存。打开另一个？</translation>
    </message>
    <message>
        <source>The run that this message was about is no longer open.</source>
        <translation>该消息所涉及的运行已不再打开。</translation>
    </message>
    <message>
        <source>The run was saved and could not be moved. It can be resumed.</source>
        <translation>运行已保存但无法移动。可以恢复它。</translation>
    </message>
    <message>
        <source>The run was stopped and saved at step {:,}.</source>
        <translation>运行已在第 {:,} 步停止并保存。</translation>
    </message>
    <message>
        <source>The same base, the same batches: which rank is enough?</source>
        <translation>同一基座，同样批次：哪个秩就够了？</translation>
    </message>
    <message>
        <source>The same draws with the adapter off and on</source>
        <translation>适配器关与开时采样相同</translation>
    </message>
    <message>
        <source>The same net, and the pixels of all digits in another order: hardly anything of it is of use, and ΔW needs many directions. A small rank is not enough here.</source>
        <translation>同一网络，但所有数字的像素换了顺序：原有知识几乎无用，ΔW 需要许多方向。此处小的秩不够用。</translation>
    </message>
    <message>
        <source>The scale decides</source>
        <translation>缩放起决定作用</translation>
    </message>
    <message>
        <source>The scaling that multiplies B·A</source>
        <translation>与 B·A 相乘的缩放</translation>
    </message>
    <message>
        <source>The scaling that multiplies B·A: ΔW = s · B·A. It follows rank and α.</source>
        <translation>与 B·A 相乘的缩放：ΔW = s · B·A。它由秩和 α 决定。</translation>
    </message>
    <message>
        <source>The second row is twice the first, so only two rows are independent.</source>
        <translation>第二行是第一行的两倍，所以只有两行线性无关。</translation>
    </message>
    <message>
        <source>The stable rank lags behind</source>
        <translation>稳定秩滞后</translation>
    </message>
    <message>
        <source>The stable rank ‖ΔW‖²/σ₁² of a change of rank r grows as r^β with β far below 1.</source>
        <translation>秩为 r 的改变量，其稳定秩 ‖ΔW‖²/σ₁² 按 r^β 增长，β 远小于 1。</translation>
    </message>
    <message>
        <source>The sweep {} has ended: {}.</source>
        <translation>扫描 {} 已结束：{}。</translation>
    </message>
    <message>
        <source>The weights take {} as {}; {} are free here</source>
        <translation>权重以 {1} 占 {0}；此处可用 {2}</translation>
    </message>
    <message>
        <source>Theme</source>
        <translation>主题</translation>
    </message>
    <message>
        <source>There is already an adapter. Replace it?</source>
        <translation>该处已有适配器。要替换吗？</translation>
    </message>
    <message>
        <source>There is no model in the cache of this machine.</source>
        <translation>本机缓存中没有模型。</translation>
    </message>
    <message>
        <source>These data have no epochs: their rows are drawn without end.</source>
        <translation>这些数据没有 epoch：其行无限抽取。</translation>
    </message>
    <message>
        <source>This checkpoint has no chat template</source>
        <translation>此检查点没有对话模板</translation>
    </message>
    <message>
        <source>This computer</source>
        <translation>本机</translation>
    </message>
    <message>
        <source>This machine</source>
        <translation>本机</translation>
    </message>
    <message>
        <source>This run has ended. Restart, then export.</source>
        <translation>此运行已结束。请重新开始后再导出。</translation>
    </message>
    <message>
        <source>This run has ended. Restart, then try again.</source>
        <translation>此运行已结束。请重新开始后再试。</translation>
    </message>
    <message>
        <source>This run takes about {} more. It can train without the window, which may then be closed.</source>
        <translation>此运行约还需 {}。它可以无窗口训练，之后可关闭窗口。</translation>
    </message>
    <message>
        <source>Tick at least one layer.</source>
        <translation>请至少勾选一层。</translation>
    </message>
    <message>
        <source>Tick at least one module: nothing would train.</source>
        <translation>请至少勾选一个模块：否则没有可训练的内容。</translation>
    </message>
    <message>
        <source>Tick what is &amp;found</source>
        <translation>勾选找到的(&amp;F)</translation>
    </message>
    <message>
        <source>Ticked: it has an adapter. Changes apply on Restart</source>
        <translation>勾选：有适配器。更改在重新开始时生效</translation>
    </message>
    <message>
        <source>Ticked: its curves are drawn behind those of the open run</source>
        <translation>勾选：其曲线画在已打开运行的曲线后面</translation>
    </message>
    <message>
        <source>Ties</source>
        <translation>权重共享</translation>
    </message>
    <message>
        <source>Time</source>
        <translation>时间</translation>
    </message>
    <message>
        <source>Time left</source>
        <translation>剩余时间</translation>
    </message>
    <message>
        <source>To use it</source>
        <translation>使用方法</translation>
    </message>
    <message>
        <source>Token budget: tokens of a step, with padding, at most (sources and targets each); it has as many examples as fit, in place of the batch. A longer row is a step by itself. 0: the batch counts examples.</source>
        <translation>token预算：每步最多的token 数（含填充；源与目标分别计算）；样本数按能容纳的多少而定，代替批大小。更长的一行自成一步。0：批次按样本计数。</translation>
    </message>
    <message>
        <source>Token classification</source>
        <translation>token 分类</translation>
    </message>
    <message>
        <source>Tokens per row</source>
        <translation>每行 token 数</translation>
    </message>
    <message>
        <source>Tokens per second</source>
        <translation>每秒 token 数</translation>
    </message>
    <message>
        <source>Tokens that a row is truncated to.</source>
        <translation>每行截断到的 token 数。</translation>
    </message>
    <message>
        <source>Top-&amp;k</source>
        <translation>Top-&amp;k</translation>
    </message>
    <message>
        <source>Top-k directions of each layer</source>
        <translation>各层的 top-k 方向</translation>
    </message>
    <message>
        <source>Top-p</source>
        <translation>Top-p</translation>
    </message>
    <message>
        <source>Tr&amp;ials</source>
        <translation>试验(&amp;I)</translation>
    </message>
    <message>
        <source>Train</source>
        <translation>训练</translation>
    </message>
    <message>
        <source>Train without it; “Evaluate now” measures it later</source>
        <translation>不测量直接训练；之后可用“立即评估”测量</translation>
    </message>
    <message>
        <source>Train, pause or resume</source>
        <translation>训练、暂停或继续</translation>
    </message>
    <message>
        <source>Trainable</source>
        <translation>可训练</translation>
    </message>
    <message>
        <source>Trainable adapter parameters</source>
        <translation>可训练的适配器参数</translation>
    </message>
    <message>
        <source>Trained: {}</source>
        <translation>训练过：{}</translation>
    </message>
    <message>
        <source>Training</source>
        <translation>训练中</translation>
    </message>
    <message>
        <source>Training continues from it on the model and data that are open, as a new run; the workshop inspects, resizes, converts and merges it.</source>
        <translation>在已打开的模型和数据上由此继续训练，作为新的运行；工坊可查看、调整、转换和合并它。</translation>
    </message>
    <message>
        <source>Training data</source>
        <translation>训练数据</translation>
    </message>
    <message>
        <source>Training each method at growing size…</source>
        <translation>正在以递增的规模训练每种方法…</translation>
    </message>
    <message>
        <source>Training is running. Close the lab?</source>
        <translation>训练正在进行。关闭本软件？</translation>
    </message>
    <message>
        <source>Training is running. Open anyway?</source>
        <translation>训练正在进行。仍要打开吗？</translation>
    </message>
    <message>
        <source>Training is running. Restart anyway?</source>
        <translation>训练正在进行。仍要重新开始吗？</translation>
    </message>
    <message>
        <source>Training loss</source>
        <translation>训练损失</translation>
    </message>
    <message>
        <source>Training random subspaces of growing size…</source>
        <translation>正在训练逐渐增大的随机子空间…</translation>
    </message>
    <message>
        <source>Trials</source>
        <translation>试验</translation>
    </message>
    <message>
        <source>Triangle 60 × 60</source>
        <translation>三角形 60 × 60</translation>
    </message>
    <message>
        <source>Truncating layers</source>
        <translation>正在截断各层</translation>
    </message>
    <message>
        <source>Try rising learning rates for some steps, then restore everything</source>
        <translation>用递增的学习率试若干步，然后恢复一切</translation>
    </message>
    <message>
        <source>Try rising learning rates, then restore everything</source>
        <translation>尝试递增的学习率，然后恢复一切</translation>
    </message>
    <message>
        <source>Trying rising learning rates with {}, on the run’s own rows. Training is paused meanwhile; afterwards everything is restored.</source>
        <translation>正在用 {} 在该运行自己的数据行上尝试递增的学习率。期间训练暂停；之后恢复一切。</translation>
    </message>
    <message>
        <source>Trying the longest row</source>
        <translation>正在试跑最长的行</translation>
    </message>
    <message>
        <source>Two rules of thumb; a short trial cannot predict a long run.</source>
        <translation>两条经验法则；短暂的试验无法预测长时间的运行。</translation>
    </message>
    <message>
        <source>Type</source>
        <translation>类型</translation>
    </message>
    <message>
        <source>UCI digits, 8 × 8 (ship with the lab)</source>
        <translation>UCI 数字，8 × 8（随软件提供）</translation>
    </message>
    <message>
        <source>Undo</source>
        <translation>撤销</translation>
    </message>
    <message>
        <source>Unpacked to floats of the dtype, a .gguf as well</source>
        <translation>解包为 dtype 的浮点数，.gguf 亦然</translation>
    </message>
    <message>
        <source>Unpacking the run</source>
        <translation>正在解包运行</translation>
    </message>
    <message>
        <source>Unticked: ΔW is frozen, but still applied</source>
        <translation>未勾选：ΔW 被冻结，但仍然生效</translation>
    </message>
    <message>
        <source>Update / weight</source>
        <translation>更新 / 权重</translation>
    </message>
    <message>
        <source>Use the &amp;default rank</source>
        <translation>使用默认秩(&amp;D)</translation>
    </message>
    <message>
        <source>Use {:,}</source>
        <translation>使用 {:,}</translation>
    </message>
    <message>
        <source>Use {}</source>
        <translation>使用 {}</translation>
    </message>
    <message>
        <source>Validation</source>
        <translation>验证</translation>
    </message>
    <message>
        <source>Validation &amp;loss</source>
        <translation>验证损失(&amp;L)</translation>
    </message>
    <message>
        <source>Validation &amp;loss here</source>
        <translation>此处的验证损失(&amp;L)</translation>
    </message>
    <message>
        <source>Validation images that the model misclassifies</source>
        <translation>模型误分类的验证图片</translation>
    </message>
    <message>
        <source>Validation images, true class → predicted, {} at step {:,}; the surest mistakes of each class first.</source>
        <translation>验证图片，真实类 → 预测，{}，第 {:,} 步；各类中最有把握的错误排在前面。</translation>
    </message>
    <message>
        <source>Validation loss</source>
        <translation>验证损失</translation>
    </message>
    <message>
        <source>Validation loss of the highest rank&apos;s ΔW, cut to the rank of this lane</source>
        <translation>最高秩的 ΔW 截断到此赛道的秩后的验证损失</translation>
    </message>
    <message>
        <source>Validation loss {} off, {} on</source>
        <translation>验证损失 关 {}，开 {}</translation>
    </message>
    <message>
        <source>Validation loss {}.</source>
        <translation>验证损失 {}。</translation>
    </message>
    <message>
        <source>Validation loss, adapter off and on</source>
        <translation>验证损失，适配器关与开</translation>
    </message>
    <message>
        <source>Validation loss, adapter on</source>
        <translation>验证损失，适配器开</translation>
    </message>
    <message>
        <source>Validation loss, off → on</source>
        <translation>验证损失，关 → 开</translation>
    </message>
    <message>
        <source>Validation split: share of the rows held out, by the data seed.</source>
        <translation>验证划分：按数据随机种子留出的行的比例。</translation>
    </message>
    <message>
        <source>Values of α</source>
        <translation>α 的取值</translation>
    </message>
    <message>
        <source>Values separated by commas: 1, 2, 4, 8</source>
        <translation>以逗号分隔取值：1, 2, 4, 8</translation>
    </message>
    <message>
        <source>Values separated by commas: 1e-3, 3e-3</source>
        <translation>以逗号分隔取值：1e-3, 3e-3</translation>
    </message>
    <message>
        <source>Values under the pointer</source>
        <translation>指针处的值</translation>
    </message>
    <message>
        <source>Values, or multiples of the rank: 16, r, 2r</source>
        <translation>取值，或秩的倍数：16, r, 2r</translation>
    </message>
    <message>
        <source>Variants tie once tuned</source>
        <translation>调优后各变体持平</translation>
    </message>
    <message>
        <source>VeRA</source>
        <translation>VeRA</translation>
    </message>
    <message>
        <source>VeRA has no scaling: its vectors d and b are all that is trained</source>
        <translation>VeRA 没有缩放：只训练其向量 d 与 b</translation>
    </message>
    <message>
        <source>W is {}. Of its {} singular values the first {} are kept; largest error {}.</source>
        <translation>W 为 {}。在其 {} 个奇异值中保留前 {} 个；最大误差 {}。</translation>
    </message>
    <message>
        <source>W, its factors U, Σ and Vᵀ, and the matrix of rank k</source>
        <translation>W，其因子 U、Σ 和 Vᵀ，以及秩为 k 的矩阵</translation>
    </message>
    <message>
        <source>Waiting for the current step</source>
        <translation>等待当前步</translation>
    </message>
    <message>
        <source>Warning: {}</source>
        <translation>警告：{}</translation>
    </message>
    <message>
        <source>Weight decay</source>
        <translation>权重衰减</translation>
    </message>
    <message>
        <source>Weight of adapter {}</source>
        <translation>适配器 {} 的权重</translation>
    </message>
    <message>
        <source>Weighting</source>
        <translation>加权</translation>
    </message>
    <message>
        <source>Weights to start from</source>
        <translation>起始权重</translation>
    </message>
    <message>
        <source>What LoRA can learn by heart is bounded by its numbers, about 2 bits for each, and grows with the rank.</source>
        <translation>LoRA 能记住的内容受其参数量限制，每个约 2 比特，并随秩增长。</translation>
    </message>
    <message>
        <source>What W + ΔW would lose of ΔW, by dtype</source>
        <translation>W + ΔW 会损失多少 ΔW，按 dtype</translation>
    </message>
    <message>
        <source>What a row counts in a classifier&apos;s loss: balanced, n/(k·n_c) for a class with n_c of n rows, lets rare classes count as much. The validation loss is the plain one.</source>
        <translation>分类器损失中每行的权重：balanced 即 n/(k·n_c)（该类占 n 行中的 n_c 行），让稀有类同等计数。验证损失不加权。</translation>
    </message>
    <message>
        <source>What did LoRA find?</source>
        <translation>LoRA 找到了什么？</translation>
    </message>
    <message>
        <source>What did LoRA find?…</source>
        <translation>LoRA 找到了什么？…</translation>
    </message>
    <message>
        <source>What each direction writes and what excites it</source>
        <translation>每个方向写出什么，以及什么激发它</translation>
    </message>
    <message>
        <source>What is typed here is written nowhere, and gone with the window</source>
        <translation>此处输入的内容不会写到任何地方，随窗口消失</translation>
    </message>
    <message>
        <source>What papers claim of LoRA, tried on this model, with a verdict each</source>
        <translation>论文关于 LoRA 的论断，在此模型上验证，各附结论</translation>
    </message>
    <message>
        <source>What stays when the rank moves. With α kept, s = α/r falls as the rank rises.</source>
        <translation>秩改变时保持什么。若保持 α，秩增大时 s = α/r 变小。</translation>
    </message>
    <message>
        <source>What the matrix is</source>
        <translation>矩阵的含义</translation>
    </message>
    <message>
        <source>What the prompt is</source>
        <translation>提示词的类型</translation>
    </message>
    <message>
        <source>What the rows are</source>
        <translation>行的类型</translation>
    </message>
    <message>
        <source>What the run shows</source>
        <translation>运行显示的结果</translation>
    </message>
    <message>
        <source>What the settings account for</source>
        <translation>各设置的影响</translation>
    </message>
    <message>
        <source>What the singular values of a layer hint at, and the loss at a clip</source>
        <translation>某层奇异值所提示的内容，以及裁剪后的损失</translation>
    </message>
    <message>
        <source>When the rank moves: {}</source>
        <translation>秩改变时：{}</translation>
    </message>
    <message>
        <source>Where embedding and head share one weight, a merge would change both. Untied, each has a weight of its own in the merged checkpoint.</source>
        <translation>当嵌入与输出头共用一个权重时，合并会同时改变两者。拆开后，它们在合并的检查点中各有自己的权重。</translation>
    </message>
    <message>
        <source>Where the waiting runs are trained</source>
        <translation>等待的运行在哪里训练</translation>
    </message>
    <message>
        <source>Where to export to</source>
        <translation>导出到哪里</translation>
    </message>
    <message>
        <source>Where to write</source>
        <translation>写到哪里</translation>
    </message>
    <message>
        <source>Whether Before/After and validation see W + ΔW or W alone</source>
        <translation>前后对比和验证使用 W + ΔW 还是仅用 W</translation>
    </message>
    <message>
        <source>Whether the d numbers of a random subspace move all tensors by one projection.</source>
        <translation>随机子空间的 d 个数是否通过同一个投影移动所有张量。</translation>
    </message>
    <message>
        <source>Which &amp;layers</source>
        <translation>哪些层(&amp;L)</translation>
    </message>
    <message>
        <source>Which class was predicted for which</source>
        <translation>哪一类被预测成哪一类</translation>
    </message>
    <message>
        <source>Which layers, which rank, and which directions does ΔW use?</source>
        <translation>ΔW 使用了哪些层、哪个秩、哪些方向？</translation>
    </message>
    <message>
        <source>Which layers, which rank, which directions: LoRA&apos;s section 7 on this model</source>
        <translation>哪些层、哪个秩、哪些方向：在此模型上重做 LoRA 第 7 节</translation>
    </message>
    <message>
        <source>Which part of a diffusion pipeline the adapter is of, where names say none</source>
        <translation>名称未指明时，适配器属于扩散流水线的哪个部分</translation>
    </message>
    <message>
        <source>Which ran&amp;k</source>
        <translation>哪个秩(&amp;K)</translation>
    </message>
    <message>
        <source>Which runs are ended before their last step</source>
        <translation>哪些运行在最后一步之前结束</translation>
    </message>
    <message>
        <source>With s = α/r fixed instead, the best learning rate falls as the rank rises.</source>
        <translation>若改为固定 s = α/r，则最佳学习率随秩升高而下降。</translation>
    </message>
    <message>
        <source>With α fixed, the best learning rate hardly changes with the rank.</source>
        <translation>固定 α 时，最佳学习率几乎不随秩变化。</translation>
    </message>
    <message>
        <source>Without regret</source>
        <translation>无悔</translation>
    </message>
    <message>
        <source>Without regret…</source>
        <translation>无悔…</translation>
    </message>
    <message>
        <source>Worst class</source>
        <translation>最差的类</translation>
    </message>
    <message>
        <source>Worst layer</source>
        <translation>最差的层</translation>
    </message>
    <message>
        <source>Write a note…</source>
        <translation>写备注…</translation>
    </message>
    <message>
        <source>Write a prompt, or choose one</source>
        <translation>输入或选择提示词</translation>
    </message>
    <message>
        <source>Write the adapter for PEFT, ComfyUI, diffusers or llama.cpp</source>
        <translation>为 PEFT、ComfyUI、diffusers 或 llama.cpp 写出适配器</translation>
    </message>
    <message>
        <source>Writing rows</source>
        <translation>正在写入行</translation>
    </message>
    <message>
        <source>Writing {}</source>
        <translation>正在写入 {}</translation>
    </message>
    <message>
        <source>Written and re-read: the base model with ΔW merged in.</source>
        <translation>已写入并重新读取：合并了 ΔW 的基座模型。</translation>
    </message>
    <message>
        <source>Written to {}</source>
        <translation>已写入 {}</translation>
    </message>
    <message>
        <source>Written, re-read, and equal to the trained adapter.</source>
        <translation>已写入并重新读取，与训练的适配器一致。</translation>
    </message>
    <message>
        <source>Wrote {} ({})</source>
        <translation>已写入 {} ({})</translation>
    </message>
    <message>
        <source>W′ = W + P·θ, d numbers for all layers. Li et al. 2018, Aghajanyan et al. 2020</source>
        <translation>W′ = W + P·θ，所有层共用 d 个数。Li et al. 2018, Aghajanyan et al. 2020</translation>
    </message>
    <message>
        <source>W′ = m ∘ V/‖V‖, V = W + (α/r)·B·A. Liu et al. 2024, arXiv 2402.09353</source>
        <translation>W′ = m ∘ V/‖V‖，V = W + (α/r)·B·A。Liu et al. 2024, arXiv 2402.09353</translation>
    </message>
    <message>
        <source>X is that of W{}, not of W: the first misses what was cut.</source>
        <translation>X 是 W{} 的伪逆，不是 W 的：第一条不成立，差的正是被截去的部分。</translation>
    </message>
    <message>
        <source>Zip (*.zip)</source>
        <translation>Zip (*.zip)</translation>
    </message>
    <message>
        <source>a PEFT folder, a run, or a file of kohya, diffusers, GGUF, loralib, MLX</source>
        <translation>PEFT 文件夹、运行，或 kohya、diffusers、GGUF、loralib、MLX 的文件</translation>
    </message>
    <message>
        <source>a factor of 10 to 15 at widths of thousands; less in narrow nets, since the best rate of full training falls with the width and LoRA&apos;s stays</source>
        <translation>宽度上千时为 10 到 15 倍；窄网络中较小，因为全量训练的最佳学习率随宽度下降，而 LoRA 的不变</translation>
    </message>
    <message>
        <source>a file, as adapter{}</source>
        <translation>文件，如 adapter{}</translation>
    </message>
    <message>
        <source>a folder with a folder of images per class, or IDX</source>
        <translation>每类一个图片子文件夹的文件夹，或 IDX</translation>
    </message>
    <message>
        <source>a folder with the four IDX files of MNIST</source>
        <translation>含 MNIST 四个 IDX 文件的文件夹</translation>
    </message>
    <message>
        <source>a model, an adapter, rows or images to learn from, a run</source>
        <translation>模型、适配器、用于学习的行或图片、运行</translation>
    </message>
    <message>
        <source>a new folder</source>
        <translation>新文件夹</translation>
    </message>
    <message>
        <source>a random subspace has a dimension d, and no rank</source>
        <translation>随机子空间有维度 d，没有秩</translation>
    </message>
    <message>
        <source>a random subspace has no adapter path to drop</source>
        <translation>随机子空间没有可丢弃的适配器通路</translation>
    </message>
    <message>
        <source>a random subspace has no scaling</source>
        <translation>随机子空间没有缩放</translation>
    </message>
    <message>
        <source>a single number: σ₁ is its size</source>
        <translation>单个数：σ₁ 是其绝对值</translation>
    </message>
    <message>
        <source>a third of the learning rate at the lowest point</source>
        <translation>最低点学习率的三分之一</translation>
    </message>
    <message>
        <source>aborted</source>
        <translation>已中止</translation>
    </message>
    <message>
        <source>about {}</source>
        <translation>约 {}</translation>
    </message>
    <message>
        <source>accumulation</source>
        <translation>累积</translation>
    </message>
    <message>
        <source>accuracy</source>
        <translation>准确率</translation>
    </message>
    <message>
        <source>accuracy {}</source>
        <translation>准确率 {}</translation>
    </message>
    <message>
        <source>activations {}</source>
        <translation>激活 {}</translation>
    </message>
    <message>
        <source>adapter</source>
        <translation>适配器</translation>
    </message>
    <message>
        <source>adapter off</source>
        <translation>适配器关</translation>
    </message>
    <message>
        <source>adapter on</source>
        <translation>适配器开</translation>
    </message>
    <message>
        <source>adapter to continue</source>
        <translation>要继续的适配器</translation>
    </message>
    <message>
        <source>agrees</source>
        <translation>一致</translation>
    </message>
    <message>
        <source>all classes ({:,} wrong)</source>
        <translation>所有类（{:,} 个错误）</translation>
    </message>
    <message>
        <source>all layers</source>
        <translation>所有层</translation>
    </message>
    <message>
        <source>all layers share θ; leave a layer out of the targets</source>
        <translation>所有层共用 θ；要排除某层，请将其移出目标</translation>
    </message>
    <message>
        <source>all linear</source>
        <translation>所有线性层</translation>
    </message>
    <message>
        <source>all linear · {}</source>
        <translation>所有线性层 · {}</translation>
    </message>
    <message>
        <source>all linear: {} of {}</source>
        <translation>所有线性层：{} / {}</translation>
    </message>
    <message>
        <source>all of it</source>
        <translation>全部</translation>
    </message>
    <message>
        <source>alpha</source>
        <translation>alpha</translation>
    </message>
    <message>
        <source>applied r = {}: {:,}</source>
        <translation>已应用 r = {}：{:,}</translation>
    </message>
    <message>
        <source>applied {:,}</source>
        <translation>已应用 {:,}</translation>
    </message>
    <message>
        <source>applied {:.4g}</source>
        <translation>已应用 {:.4g}</translation>
    </message>
    <message>
        <source>applied {}</source>
        <translation>已应用 {}</translation>
    </message>
    <message>
        <source>arXiv 2602.04998, 2602.09492</source>
        <translation>arXiv 2602.04998, 2602.09492</translation>
    </message>
    <message>
        <source>as begun</source>
        <translation>同开始时</translation>
    </message>
    <message>
        <source>at each validation</source>
        <translation>每次验证时</translation>
    </message>
    <message>
        <source>at the start</source>
        <translation>起始时</translation>
    </message>
    <message>
        <source>at the start: no directions, ΔW is 0</source>
        <translation>起始时：没有方向，ΔW 为 0</translation>
    </message>
    <message>
        <source>autosave seconds</source>
        <translation>自动保存秒数</translation>
    </message>
    <message>
        <source>base model (validation)</source>
        <translation>基座模型（验证）</translation>
    </message>
    <message>
        <source>base model: for DoRA, and for adapters of two programs</source>
        <translation>基座模型：用于 DoRA，以及来自两个程序的适配器</translation>
    </message>
    <message>
        <source>base {}</source>
        <translation>基座 {}</translation>
    </message>
    <message>
        <source>batch size</source>
        <translation>批大小</translation>
    </message>
    <message>
        <source>batch tokens</source>
        <translation>批次token 数</translation>
    </message>
    <message>
        <source>batching</source>
        <translation>组批方式</translation>
    </message>
    <message>
        <source>before an edit</source>
        <translation>修改之前</translation>
    </message>
    <message>
        <source>best</source>
        <translation>最佳</translation>
    </message>
    <message>
        <source>best for its size</source>
        <translation>同等规模最佳</translation>
    </message>
    <message>
        <source>best, step {:,}</source>
        <translation>最佳，第 {:,} 步</translation>
    </message>
    <message>
        <source>betas</source>
        <translation>betas</translation>
    </message>
    <message>
        <source>bits of random labels stored grow with the rank, 0.6 to 0.9 for each number in a run of some thousand steps, never above 2</source>
        <translation>所存随机标签的比特数随秩增长，几千步的运行中每个数 0.6 到 0.9，绝不超过 2</translation>
    </message>
    <message>
        <source>bits of the base</source>
        <translation>基座位数</translation>
    </message>
    <message>
        <source>bucketed: rows of similar length together. packed: rows end to end up to the max length. shuffled: in random order.</source>
        <translation>bucketed：长度相近的行放在一起。packed：行首尾相接直到最大长度。shuffled：随机排列。</translation>
    </message>
    <message>
        <source>by accuracy</source>
        <translation>按准确率</translation>
    </message>
    <message>
        <source>by chance: max(i, j)/n</source>
        <translation>随机期望：max(i, j)/n</translation>
    </message>
    <message>
        <source>by elimination</source>
        <translation>按消元</translation>
    </message>
    <message>
        <source>by the validation loss</source>
        <translation>按验证损失</translation>
    </message>
    <message>
        <source>by σ</source>
        <translation>按 σ</translation>
    </message>
    <message>
        <source>cannot be adapted</source>
        <translation>无法适配</translation>
    </message>
    <message>
        <source>cat: factors side by side, rank Σr</source>
        <translation>cat：因子并排拼接，秩为 Σr</translation>
    </message>
    <message>
        <source>chat template</source>
        <translation>对话模板</translation>
    </message>
    <message>
        <source>chats about images, or an image, a prompt and a completion: JSONL, Parquet</source>
        <translation>关于图片的对话，或图片、提示词与补全：JSONL、Parquet</translation>
    </message>
    <message>
        <source>checkpointing</source>
        <translation>梯度检查点</translation>
    </message>
    <message>
        <source>class weights</source>
        <translation>类别权重</translation>
    </message>
    <message>
        <source>class {} only ({} of {})</source>
        <translation>仅类 {}（{} / {}）</translation>
    </message>
    <message>
        <source>classes</source>
        <translation>类</translation>
    </message>
    <message>
        <source>classes {} only ({} of {})</source>
        <translation>仅类 {}（{} / {}）</translation>
    </message>
    <message>
        <source>closed</source>
        <translation>已关闭</translation>
    </message>
    <message>
        <source>columns</source>
        <translation>列</translation>
    </message>
    <message>
        <source>common</source>
        <translation>共用</translation>
    </message>
    <message>
        <source>component: as named</source>
        <translation>组件：按名称</translation>
    </message>
    <message>
        <source>confusion</source>
        <translation>混淆</translation>
    </message>
    <message>
        <source>correct</source>
        <translation>正确</translation>
    </message>
    <message>
        <source>current LR {} × gradient</source>
        <translation>当前 LR {} × 梯度</translation>
    </message>
    <message>
        <source>current LR {} ≈ step per number</source>
        <translation>当前 LR {} ≈ 每个数的步长</translation>
    </message>
    <message>
        <source>current LR {} ≈ step per weight</source>
        <translation>当前 LR {} ≈ 每个权重的步长</translation>
    </message>
    <message>
        <source>current: {}</source>
        <translation>当前：{}</translation>
    </message>
    <message>
        <source>cut</source>
        <translation>截去</translation>
    </message>
    <message>
        <source>d</source>
        <translation>d</translation>
    </message>
    <message>
        <source>damaged</source>
        <translation>已损坏</translation>
    </message>
    <message>
        <source>dare-linear: entries of each ΔW dropped at random, sum</source>
        <translation>dare-linear：随机丢弃各 ΔW 的元素后求和</translation>
    </message>
    <message>
        <source>dare-ties: dropped at random, mean of the majority&apos;s sign</source>
        <translation>dare-ties：随机丢弃后按多数符号取平均</translation>
    </message>
    <message>
        <source>data</source>
        <translation>数据</translation>
    </message>
    <message>
        <source>data seed</source>
        <translation>数据随机种子</translation>
    </message>
    <message>
        <source>default rank, {} at most</source>
        <translation>默认秩，至多 {}</translation>
    </message>
    <message>
        <source>density </source>
        <translation>密度 </translation>
    </message>
    <message>
        <source>device</source>
        <translation>设备</translation>
    </message>
    <message>
        <source>diff</source>
        <translation>对照</translation>
    </message>
    <message>
        <source>differs here</source>
        <translation>此处不同</translation>
    </message>
    <message>
        <source>digits</source>
        <translation>数字</translation>
    </message>
    <message>
        <source>dimension</source>
        <translation>维度</translation>
    </message>
    <message>
        <source>directions of the first</source>
        <translation>第一个的方向</translation>
    </message>
    <message>
        <source>discarded {} of the energy at step {:,}</source>
        <translation>在第 {1:,} 步舍去了 {0} 的能量</translation>
    </message>
    <message>
        <source>discarded {} of {} at step {:,}</source>
        <translation>在第 {2:,} 步舍去了{1}的 {0}</translation>
    </message>
    <message>
        <source>does not hold</source>
        <translation>不成立</translation>
    </message>
    <message>
        <source>done</source>
        <translation>已完成</translation>
    </message>
    <message>
        <source>doubling keeps ΔW exactly</source>
        <translation>加倍时精确保留 ΔW</translation>
    </message>
    <message>
        <source>drop</source>
        <translation>drop</translation>
    </message>
    <message>
        <source>dropout</source>
        <translation>Dropout</translation>
    </message>
    <message>
        <source>drops the smallest directions of s·B·A; the energy lost is shown afterwards</source>
        <translation>舍去 s·B·A 最小的方向；之后显示损失的能量</translation>
    </message>
    <message>
        <source>dt&amp;ype</source>
        <translation>dt&amp;ype</translation>
    </message>
    <message>
        <source>dtype</source>
        <translation>dtype</translation>
    </message>
    <message>
        <source>dtype of the base model</source>
        <translation>基座模型的 dtype</translation>
    </message>
    <message>
        <source>dtype of the base model. Adapters on half precision stay in float32.</source>
        <translation>基座模型的 dtype。半精度上的适配器仍为 float32。</translation>
    </message>
    <message>
        <source>dtype of the factors; what the cast loses is reported</source>
        <translation>因子的 dtype；转换的损失会写入报告</translation>
    </message>
    <message>
        <source>each combination of the values is one run</source>
        <translation>每种取值组合为一个运行</translation>
    </message>
    <message>
        <source>each: σ₁ to {}, {} to {}</source>
        <translation>每图：σ₁ 到 {}，{} 到 {}</translation>
    </message>
    <message>
        <source>each: σ₁ to {}, {} to {}, log scale</source>
        <translation>每图：σ₁ 到 {}，{} 到 {}，对数刻度</translation>
    </message>
    <message>
        <source>earlier checkpoint</source>
        <translation>较早的检查点</translation>
    </message>
    <message>
        <source>easy: the 9s beside the other digits</source>
        <translation>简单：在其他数字之外学会 9</translation>
    </message>
    <message>
        <source>effective rank {:.3g}, from {:.3g} at step {:,}</source>
        <translation>有效秩 {0:.3g}，第 {2:,} 步时为 {1:.3g}</translation>
    </message>
    <message>
        <source>ends a run that is worse than half of the earlier ones by then</source>
        <translation>若某次运行差于此前一半的运行在同一步的结果，则将其结束</translation>
    </message>
    <message>
        <source>ends no run</source>
        <translation>不结束任何运行</translation>
    </message>
    <message>
        <source>energy discarded, %</source>
        <translation>舍去的能量，%</translation>
    </message>
    <message>
        <source>energy kept</source>
        <translation>保留的能量</translation>
    </message>
    <message>
        <source>energy kept, %</source>
        <translation>保留的能量，%</translation>
    </message>
    <message>
        <source>energy kept: {} of Σσ²</source>
        <translation>保留的能量：Σσ² 的 {}</translation>
    </message>
    <message>
        <source>energy: none in a zero matrix</source>
        <translation>能量：零矩阵没有能量</translation>
    </message>
    <message>
        <source>epoch</source>
        <translation>epoch</translation>
    </message>
    <message>
        <source>epochs</source>
        <translation>epoch 数</translation>
    </message>
    <message>
        <source>eps</source>
        <translation>eps</translation>
    </message>
    <message>
        <source>eval steps</source>
        <translation>验证间隔步数</translation>
    </message>
    <message>
        <source>every combination</source>
        <translation>所有组合</translation>
    </message>
    <message>
        <source>every combination in order</source>
        <translation>按顺序取每种组合</translation>
    </message>
    <message>
        <source>every number is 0</source>
        <translation>每个数都是 0</translation>
    </message>
    <message>
        <source>every σ is 0</source>
        <translation>每个 σ 都是 0</translation>
    </message>
    <message>
        <source>exact: Σ w·ΔW (re-factorised by SVD)</source>
        <translation>精确：Σ w·ΔW（用 SVD 重新分解）</translation>
    </message>
    <message>
        <source>exactly</source>
        <translation>精确</translation>
    </message>
    <message>
        <source>exp of the entropy of σ / Σσ</source>
        <translation>σ / Σσ 的熵的 exp</translation>
    </message>
    <message>
        <source>factor</source>
        <translation>倍数</translation>
    </message>
    <message>
        <source>factory</source>
        <translation>工厂函数</translation>
    </message>
    <message>
        <source>failed</source>
        <translation>失败</translation>
    </message>
    <message>
        <source>falls fastest at</source>
        <translation>下降最快处</translation>
    </message>
    <message>
        <source>fewer numbers up to {:,}.</source>
        <translation>在 {:,} 以内数更少。</translation>
    </message>
    <message>
        <source>finished</source>
        <translation>已完成</translation>
    </message>
    <message>
        <source>folder of the base model</source>
        <translation>基座模型的文件夹</translation>
    </message>
    <message>
        <source>folder or file of the base model</source>
        <translation>基座模型的文件夹或文件</translation>
    </message>
    <message>
        <source>from LORA_LAB_CLUSTER_TOKEN or the keyring</source>
        <translation>来自 LORA_LAB_CLUSTER_TOKEN 或密钥环</translation>
    </message>
    <message>
        <source>from random weights</source>
        <translation>从随机权重开始</translation>
    </message>
    <message>
        <source>from the base</source>
        <translation>从基座开始</translation>
    </message>
    <message>
        <source>from the base and from random weights</source>
        <translation>从基座和从随机权重开始</translation>
    </message>
    <message>
        <source>from σ</source>
        <translation>由 σ 得</translation>
    </message>
    <message>
        <source>frozen</source>
        <translation>冻结</translation>
    </message>
    <message>
        <source>frozen layers</source>
        <translation>冻结的层</translation>
    </message>
    <message>
        <source>frozen: ΔW and its rank stay unchanged</source>
        <translation>已冻结：ΔW 及其秩保持不变</translation>
    </message>
    <message>
        <source>full fine-tuning has no adapter path to drop</source>
        <translation>全量微调没有可丢弃的适配器通路</translation>
    </message>
    <message>
        <source>full fine-tuning has no rank</source>
        <translation>全量微调没有秩</translation>
    </message>
    <message>
        <source>full fine-tuning has no scaling</source>
        <translation>全量微调没有缩放</translation>
    </message>
    <message>
        <source>full rank</source>
        <translation>满秩</translation>
    </message>
    <message>
        <source>full training</source>
        <translation>全量训练</translation>
    </message>
    <message>
        <source>gradients {}</source>
        <translation>梯度 {}</translation>
    </message>
    <message>
        <source>greedy</source>
        <translation>贪心</translation>
    </message>
    <message>
        <source>grey values</source>
        <translation>灰度值</translation>
    </message>
    <message>
        <source>grid, pruned</source>
        <translation>网格（带剪枝）</translation>
    </message>
    <message>
        <source>grows by {}: ΔW is kept exactly</source>
        <translation>增加 {}：精确保留 ΔW</translation>
    </message>
    <message>
        <source>halves A and B in {} steps, {} in each</source>
        <translation>每 {} 步使 A 和 B 减半，每步 {}</translation>
    </message>
    <message>
        <source>halving</source>
        <translation>逐次减半</translation>
    </message>
    <message>
        <source>hard: digits with their pixels shuffled</source>
        <translation>困难：像素打乱的数字</translation>
    </message>
    <message>
        <source>hidden</source>
        <translation>隐藏层</translation>
    </message>
    <message>
        <source>highest: {}</source>
        <translation>最高：{}</translation>
    </message>
    <message>
        <source>holds</source>
        <translation>成立</translation>
    </message>
    <message>
        <source>hyper</source>
        <translation>hyper</translation>
    </message>
    <message>
        <source>image {:,}, {}</source>
        <translation>图片 {:,}，{}</translation>
    </message>
    <message>
        <source>in background</source>
        <translation>在后台</translation>
    </message>
    <message>
        <source>in exact fractions of the numbers as written</source>
        <translation>按所写数值用精确分数计算</translation>
    </message>
    <message>
        <source>in the loss (label)</source>
        <translation>计入损失（标签）</translation>
    </message>
    <message>
        <source>index i</source>
        <translation>序号 i</translation>
    </message>
    <message>
        <source>infinity</source>
        <translation>无穷大</translation>
    </message>
    <message>
        <source>init</source>
        <translation>初始化</translation>
    </message>
    <message>
        <source>interrupted</source>
        <translation>已中断</translation>
    </message>
    <message>
        <source>k(m + n) in B and A</source>
        <translation>B 与 A 中 k(m + n) 个</translation>
    </message>
    <message>
        <source>keep dtype</source>
        <translation>保持 dtype</translation>
    </message>
    <message>
        <source>keep s</source>
        <translation>保持 s</translation>
    </message>
    <message>
        <source>keep {}</source>
        <translation>保留 {}</translation>
    </message>
    <message>
        <source>keep ΔW</source>
        <translation>保持 ΔW</translation>
    </message>
    <message>
        <source>keep α</source>
        <translation>保持 α</translation>
    </message>
    <message>
        <source>kept</source>
        <translation>保留</translation>
    </message>
    <message>
        <source>label smoothing</source>
        <translation>标签平滑</translation>
    </message>
    <message>
        <source>label {}</source>
        <translation>标签 {}</translation>
    </message>
    <message>
        <source>largest tried that did not raise the validation loss</source>
        <translation>未使验证损失上升的最大尝试值</translation>
    </message>
    <message>
        <source>largest {}</source>
        <translation>最大 {}</translation>
    </message>
    <message>
        <source>latest checkpoint</source>
        <translation>最新检查点</translation>
    </message>
    <message>
        <source>layer ranks</source>
        <translation>单层秩</translation>
    </message>
    <message>
        <source>layers, σ₁ ≥ σ₂ ≥ … in each</source>
        <translation>层（每层内 σ₁ ≥ σ₂ ≥ … 依次排列）</translation>
    </message>
    <message>
        <source>learning rate</source>
        <translation>学习率</translation>
    </message>
    <message>
        <source>lets the best third continue at each third of the way</source>
        <translation>每完成三分之一的进程，只让最好的三分之一继续</translation>
    </message>
    <message>
        <source>limited to {:,} (smallest layer dimension)</source>
        <translation>限制为 {:,}（层的最小维度）</translation>
    </message>
    <message>
        <source>linear: as PEFT adds factors, (Σ√(ws)·B)(Σ√(ws)·A)</source>
        <translation>linear：按 PEFT 相加因子的方式，(Σ√(ws)·B)(Σ√(ws)·A)</translation>
    </message>
    <message>
        <source>lists of words and of their tags (BIO): JSONL, Parquet or CSV</source>
        <translation>词及其标签（BIO）的列表：JSONL、Parquet 或 CSV</translation>
    </message>
    <message>
        <source>loading</source>
        <translation>加载中</translation>
    </message>
    <message>
        <source>log</source>
        <translation>对数</translation>
    </message>
    <message>
        <source>lose {} of ΔW in {}</source>
        <translation>在 {1} 下损失 ΔW 的 {0}</translation>
    </message>
    <message>
        <source>loss</source>
        <translation>损失</translation>
    </message>
    <message>
        <source>loss per token</source>
        <translation>每个 token 的损失</translation>
    </message>
    <message>
        <source>lr</source>
        <translation>lr</translation>
    </message>
    <message>
        <source>magnitude: largest entries of each ΔW, sum</source>
        <translation>magnitude：各 ΔW 的最大元素求和</translation>
    </message>
    <message>
        <source>masked (prompt)</source>
        <translation>掩码（提示词）</translation>
    </message>
    <message>
        <source>max grad norm</source>
        <translation>最大梯度范数</translation>
    </message>
    <message>
        <source>max length</source>
        <translation>最大长度</translation>
    </message>
    <message>
        <source>max norm</source>
        <translation>最大范数</translation>
    </message>
    <message>
        <source>measured</source>
        <translation>测量</translation>
    </message>
    <message>
        <source>measuring…</source>
        <translation>正在测量…</translation>
    </message>
    <message>
        <source>median</source>
        <translation>中位数</translation>
    </message>
    <message>
        <source>median {} of the rank in use; most in {}, {}</source>
        <translation>秩的使用比例中位数 {}；最多在 {}，{}</translation>
    </message>
    <message>
        <source>median {} of {:,}; largest {} in {}</source>
        <translation>{1:,} 层的中位数 {0}；最大 {2}，在 {3}</translation>
    </message>
    <message>
        <source>merged checkpoint (base model + ΔW)</source>
        <translation>合并后的检查点（基座模型 + ΔW）</translation>
    </message>
    <message>
        <source>million tokens</source>
        <translation>百万 token</translation>
    </message>
    <message>
        <source>min |cos|</source>
        <translation>最小 |cos|</translation>
    </message>
    <message>
        <source>minutes</source>
        <translation>分钟</translation>
    </message>
    <message>
        <source>misclassified</source>
        <translation>误分类</translation>
    </message>
    <message>
        <source>mixture on</source>
        <translation>混合开</translation>
    </message>
    <message>
        <source>model</source>
        <translation>模型</translation>
    </message>
    <message>
        <source>module:function, for custom architectures</source>
        <translation>模块:函数，用于自定义架构</translation>
    </message>
    <message>
        <source>momentum</source>
        <translation>动量</translation>
    </message>
    <message>
        <source>m·n in W</source>
        <translation>W 中 m·n 个</translation>
    </message>
    <message>
        <source>negligible at this learning rate</source>
        <translation>在此学习率下可忽略</translation>
    </message>
    <message>
        <source>never fewer numbers.</source>
        <translation>数从不更少。</translation>
    </message>
    <message>
        <source>new task</source>
        <translation>新任务</translation>
    </message>
    <message>
        <source>no dropout</source>
        <translation>无 Dropout</translation>
    </message>
    <message>
        <source>no more than rounding: 0</source>
        <translation>不超过舍入误差：0</translation>
    </message>
    <message>
        <source>no weight decay</source>
        <translation>无权重衰减</translation>
    </message>
    <message>
        <source>noise of the same size</source>
        <translation>同样大小的噪声</translation>
    </message>
    <message>
        <source>none</source>
        <translation>无</translation>
    </message>
    <message>
        <source>not adapted: it has no rank</source>
        <translation>未适配：没有秩</translation>
    </message>
    <message>
        <source>not decided</source>
        <translation>未定</translation>
    </message>
    <message>
        <source>not finite</source>
        <translation>非有限值</translation>
    </message>
    <message>
        <source>not found</source>
        <translation>未找到</translation>
    </message>
    <message>
        <source>not in the checkpoint: fully trained</source>
        <translation>不在检查点中：全量训练</translation>
    </message>
    <message>
        <source>not in the loss</source>
        <translation>不计入损失</translation>
    </message>
    <message>
        <source>not installed</source>
        <translation>未安装</translation>
    </message>
    <message>
        <source>not measured yet</source>
        <translation>尚未测量</translation>
    </message>
    <message>
        <source>numbers</source>
        <translation>数</translation>
    </message>
    <message>
        <source>numbers trained</source>
        <translation>训练的数的个数</translation>
    </message>
    <message>
        <source>of a plain net; the readings that fit are listed</source>
        <translation>普通网络的解读方式；列出适合的</translation>
    </message>
    <message>
        <source>of a random subspace alone</source>
        <translation>仅用于随机子空间</translation>
    </message>
    <message>
        <source>of the tensor that is selected</source>
        <translation>所选张量的</translation>
    </message>
    <message>
        <source>of {}</source>
        <translation>共 {}</translation>
    </message>
    <message>
        <source>off</source>
        <translation>关</translation>
    </message>
    <message>
        <source>on</source>
        <translation>开</translation>
    </message>
    <message>
        <source>on top of the current settings: {}, {} · write several values as 2, 4, 8</source>
        <translation>以当前设置为基础：{}，{} · 多个取值写作 2, 4, 8</translation>
    </message>
    <message>
        <source>one column: σ₁ is its length</source>
        <translation>单列：σ₁ 是其长度</translation>
    </message>
    <message>
        <source>one number</source>
        <translation>一个数</translation>
    </message>
    <message>
        <source>one row: σ₁ is its length</source>
        <translation>单行：σ₁ 是其长度</translation>
    </message>
    <message>
        <source>optimizer</source>
        <translation>优化器</translation>
    </message>
    <message>
        <source>optimizer {}</source>
        <translation>优化器 {}</translation>
    </message>
    <message>
        <source>other classes</source>
        <translation>其他类</translation>
    </message>
    <message>
        <source>out × in</source>
        <translation>out × in</translation>
    </message>
    <message>
        <source>over steps</source>
        <translation>随步数</translation>
    </message>
    <message>
        <source>overflow</source>
        <translation>溢出</translation>
    </message>
    <message>
        <source>overflow in {}</source>
        <translation>在 {} 下溢出</translation>
    </message>
    <message>
        <source>owner/name, as on huggingface.co</source>
        <translation>所有者/名称，同 huggingface.co</translation>
    </message>
    <message>
        <source>pairs of answers, one chosen and one rejected: JSONL, CSV, Parquet</source>
        <translation>成对的回答，一个选中一个拒绝：JSONL、CSV、Parquet</translation>
    </message>
    <message>
        <source>patience</source>
        <translation>耐心次数</translation>
    </message>
    <message>
        <source>paused</source>
        <translation>已暂停</translation>
    </message>
    <message>
        <source>per-layer rank, {} at most</source>
        <translation>单层秩，至多 {}</translation>
    </message>
    <message>
        <source>permuted</source>
        <translation>打乱</translation>
    </message>
    <message>
        <source>pivots &gt; max(m, n)·ε·max|wᵢⱼ|</source>
        <translation>主元 &gt; max(m, n)·ε·max|wᵢⱼ|</translation>
    </message>
    <message>
        <source>pivots that are not 0</source>
        <translation>非零的主元</translation>
    </message>
    <message>
        <source>plain text</source>
        <translation>纯文本</translation>
    </message>
    <message>
        <source>prefix</source>
        <translation>前缀</translation>
    </message>
    <message>
        <source>preset</source>
        <translation>预设</translation>
    </message>
    <message>
        <source>pretraining</source>
        <translation>预训练</translation>
    </message>
    <message>
        <source>projection</source>
        <translation>投影</translation>
    </message>
    <message>
        <source>prompt as in the data</source>
        <translation>提示词同数据格式</translation>
    </message>
    <message>
        <source>prompts</source>
        <translation>提示词</translation>
    </message>
    <message>
        <source>pruned</source>
        <translation>已剪枝</translation>
    </message>
    <message>
        <source>r</source>
        <translation>r</translation>
    </message>
    <message>
        <source>random</source>
        <translation>随机</translation>
    </message>
    <message>
        <source>random labels</source>
        <translation>随机标签</translation>
    </message>
    <message>
        <source>random weights</source>
        <translation>随机权重</translation>
    </message>
    <message>
        <source>rank</source>
        <translation>秩</translation>
    </message>
    <message>
        <source>rank </source>
        <translation>秩 </translation>
    </message>
    <message>
        <source>rank kept</source>
        <translation>保留的秩</translation>
    </message>
    <message>
        <source>rank {}</source>
        <translation>秩 {}</translation>
    </message>
    <message>
        <source>ranks {} and {}, other seeds</source>
        <translation>秩 {} 与 {}，不同种子</translation>
    </message>
    <message>
        <source>ranks {} and {}, the same seed</source>
        <translation>秩 {} 与 {}，同一种子</translation>
    </message>
    <message>
        <source>ranks {} to {}</source>
        <translation>秩 {} 到 {}</translation>
    </message>
    <message>
        <source>ranks {} – {}</source>
        <translation>秩 {} – {}</translation>
    </message>
    <message>
        <source>ranks, as in 1, 4, 16</source>
        <translation>秩，如 1, 4, 16</translation>
    </message>
    <message>
        <source>raw</source>
        <translation>原始</translation>
    </message>
    <message>
        <source>reading</source>
        <translation>解读方式</translation>
    </message>
    <message>
        <source>rescale ΔW</source>
        <translation>重缩放 ΔW</translation>
    </message>
    <message>
        <source>rescale ΔW: ΔW follows α at once. keep ΔW: ΔW stays as it is and B is rescaled, so that α acts like a learning rate of B.</source>
        <translation>重缩放 ΔW：ΔW 立即随 α 变化。保持 ΔW：ΔW 不变而 B 被重缩放，α 相当于 B 的学习率。</translation>
    </message>
    <message>
        <source>retention set</source>
        <translation>保持集</translation>
    </message>
    <message>
        <source>rounding, ≤ {}</source>
        <translation>舍入误差，≤ {}</translation>
    </message>
    <message>
        <source>row {:,}</source>
        <translation>第 {:,} 行</translation>
    </message>
    <message>
        <source>rules</source>
        <translation>规则</translation>
    </message>
    <message>
        <source>running</source>
        <translation>运行中</translation>
    </message>
    <message>
        <source>runs</source>
        <translation>运行</translation>
    </message>
    <message>
        <source>sampling</source>
        <translation>采样</translation>
    </message>
    <message>
        <source>schedule</source>
        <translation>学习率调度</translation>
    </message>
    <message>
        <source>schema version</source>
        <translation>模式版本</translation>
    </message>
    <message>
        <source>seed</source>
        <translation>随机种子</translation>
    </message>
    <message>
        <source>seed </source>
        <translation>种子 </translation>
    </message>
    <message>
        <source>seed {}</source>
        <translation>种子 {}</translation>
    </message>
    <message>
        <source>seed {}: validation loss {:.3f}</source>
        <translation>种子 {}：验证损失 {:.3f}</translation>
    </message>
    <message>
        <source>seeds </source>
        <translation>种子 </translation>
    </message>
    <message>
        <source>seeds: as it fits</source>
        <translation>种子：自动</translation>
    </message>
    <message>
        <source>settings at random</source>
        <translation>随机设置</translation>
    </message>
    <message>
        <source>settings that resemble those of the best runs so far</source>
        <translation>与目前最佳运行相近的设置</translation>
    </message>
    <message>
        <source>shard base</source>
        <translation>切分基座</translation>
    </message>
    <message>
        <source>share prefix</source>
        <translation>共享前缀</translation>
    </message>
    <message>
        <source>skip bad rows</source>
        <translation>跳过坏行</translation>
    </message>
    <message>
        <source>slerp: two ΔWs, a point of the arc between them</source>
        <translation>slerp：两个 ΔW 之间弧上的一点</translation>
    </message>
    <message>
        <source>smoothed</source>
        <translation>平滑后</translation>
    </message>
    <message>
        <source>smoothing</source>
        <translation>平滑</translation>
    </message>
    <message>
        <source>snapshots</source>
        <translation>快照</translation>
    </message>
    <message>
        <source>space</source>
        <translation>空间</translation>
    </message>
    <message>
        <source>square</source>
        <translation>方阵</translation>
    </message>
    <message>
        <source>step</source>
        <translation>步</translation>
    </message>
    <message>
        <source>step 000,000 / 000,000</source>
        <translation>步 000,000 / 000,000</translation>
    </message>
    <message>
        <source>step {:,}</source>
        <translation>第 {:,} 步</translation>
    </message>
    <message>
        <source>step {:,} / {:,}</source>
        <translation>步 {:,} / {:,}</translation>
    </message>
    <message>
        <source>steps</source>
        <translation>步数</translation>
    </message>
    <message>
        <source>steps </source>
        <translation>步数 </translation>
    </message>
    <message>
        <source>steps: as it fits</source>
        <translation>步数：自动</translation>
    </message>
    <message>
        <source>stop texts, separated by |</source>
        <translation>停止文本，以 | 分隔</translation>
    </message>
    <message>
        <source>stopped</source>
        <translation>已停止</translation>
    </message>
    <message>
        <source>structure</source>
        <translation>结构</translation>
    </message>
    <message>
        <source>s·B·A = the r largest directions of what packing took from W, so ΔW is not 0 at step 0; for a base in 4 or 8 bits. One round of Li et al. 2023, arXiv 2310.08659</source>
        <translation>s·B·A = 打包从 W 中丢失部分的 r 个最大方向，因此第 0 步 ΔW 不为 0；用于 4 或 8 位的基座。Li et al. 2023 的一轮，arXiv 2310.08659</translation>
    </message>
    <message>
        <source>s·B·A&apos;s energy</source>
        <translation>s·B·A 的能量</translation>
    </message>
    <message>
        <source>tall</source>
        <translation>高</translation>
    </message>
    <message>
        <source>targets</source>
        <translation>目标</translation>
    </message>
    <message>
        <source>task</source>
        <translation>任务</translation>
    </message>
    <message>
        <source>text, prompts and completions, or chats: JSONL, CSV, Parquet</source>
        <translation>文本、提示词与补全，或对话：JSONL、CSV、Parquet</translation>
    </message>
    <message>
        <source>texts and a number each, pairs of texts too: CSV, JSONL or Parquet</source>
        <translation>文本各带一个数，也可为文本对：CSV、JSONL 或 Parquet</translation>
    </message>
    <message>
        <source>texts and labels: CSV, JSONL or Parquet</source>
        <translation>文本和标签：CSV、JSONL 或 Parquet</translation>
    </message>
    <message>
        <source>texts and several labels each: CSV, JSONL or Parquet</source>
        <translation>文本各带多个标签：CSV、JSONL 或 Parquet</translation>
    </message>
    <message>
        <source>texts and what each is to become, as summaries or translations: JSONL, CSV, Parquet</source>
        <translation>文本及其应变成的内容，如摘要或翻译：JSONL、CSV、Parquet</translation>
    </message>
    <message>
        <source>texts: JSONL, CSV, Parquet or plain text</source>
        <translation>文本：JSONL、CSV、Parquet 或纯文本</translation>
    </message>
    <message>
        <source>the base model is trained as the preset defines</source>
        <translation>基座模型按预设的规定训练</translation>
    </message>
    <message>
        <source>the curves of all ranks lie on one another, and part later by capacity</source>
        <translation>各秩的曲线先重合，之后因容量而分开</translation>
    </message>
    <message>
        <source>the first {:,} are shown</source>
        <translation>显示前 {:,} 个</translation>
    </message>
    <message>
        <source>the gap between the two losses grows with the batch</source>
        <translation>两个损失之差随批量增大</translation>
    </message>
    <message>
        <source>the highest rank wants a lower rate than rank 1</source>
        <translation>最高的秩需要比秩 1 更低的学习率</translation>
    </message>
    <message>
        <source>the lab&apos;s own over there</source>
        <translation>那里实验室自己的</translation>
    </message>
    <message>
        <source>the loss of MLP layers is no higher</source>
        <translation>MLP 层的损失不更高</translation>
    </message>
    <message>
        <source>the model and data that are open</source>
        <translation>当前打开的模型与数据</translation>
    </message>
    <message>
        <source>the numbers move both factors, and their rate does what α would</source>
        <translation>这些数移动两个因子，其学习率起到 α 的作用</translation>
    </message>
    <message>
        <source>the numbers move factors of one rank in all layers</source>
        <translation>这些数移动所有层中同一秩的因子</translation>
    </message>
    <message>
        <source>the numbers move factors of the rank that the run began with</source>
        <translation>这些数移动运行开始时那个秩的因子</translation>
    </message>
    <message>
        <source>the same rate is best from rank 4 on</source>
        <translation>从秩 4 起同一学习率最佳</translation>
    </message>
    <message>
        <source>the squared change of A and B</source>
        <translation>A 与 B 的变化平方和</translation>
    </message>
    <message>
        <source>the sum itself, to rounding</source>
        <translation>和本身，仅差舍入误差</translation>
    </message>
    <message>
        <source>then it falls to {} at the last step ({} schedule).</source>
        <translation>然后在最后一步降到 {}（{} 调度）。</translation>
    </message>
    <message>
        <source>then it stays ({} schedule).</source>
        <translation>然后保持不变（{} 调度）。</translation>
    </message>
    <message>
        <source>this layer</source>
        <translation>此层</translation>
    </message>
    <message>
        <source>this run</source>
        <translation>此运行</translation>
    </message>
    <message>
        <source>ties: largest entries of each ΔW, mean of the majority&apos;s sign</source>
        <translation>ties：各 ΔW 的最大元素，按多数符号取平均</translation>
    </message>
    <message>
        <source>time not known yet</source>
        <translation>时间未知</translation>
    </message>
    <message>
        <source>tokens per row: median {:,}, longest {:,}</source>
        <translation>每行 token 数：中位数 {:,}，最长 {:,}</translation>
    </message>
    <message>
        <source>too large</source>
        <translation>过大</translation>
    </message>
    <message>
        <source>top-p </source>
        <translation>top-p </translation>
    </message>
    <message>
        <source>top-p {:g}</source>
        <translation>top-p {:g}</translation>
    </message>
    <message>
        <source>train</source>
        <translation>训练</translation>
    </message>
    <message>
        <source>train (class {} only)</source>
        <translation>训练（仅类 {}）</translation>
    </message>
    <message>
        <source>train ({} of {} classes)</source>
        <translation>训练（{} / {} 类）</translation>
    </message>
    <message>
        <source>train ({}/{})</source>
        <translation>训练 ({}/{})</translation>
    </message>
    <message>
        <source>trainable parameters</source>
        <translation>可训练参数</translation>
    </message>
    <message>
        <source>trained on</source>
        <translation>训练过</translation>
    </message>
    <message>
        <source>true σ(D)</source>
        <translation>真实 σ(D)</translation>
    </message>
    <message>
        <source>truncate to rank </source>
        <translation>截断到秩 </translation>
    </message>
    <message>
        <source>trunk cache</source>
        <translation>主干缓存</translation>
    </message>
    <message>
        <source>two seeds at rank {}</source>
        <translation>秩 {} 的两个种子</translation>
    </message>
    <message>
        <source>unchanged</source>
        <translation>未变</translation>
    </message>
    <message>
        <source>validation</source>
        <translation>验证</translation>
    </message>
    <message>
        <source>validation (all {} classes)</source>
        <translation>验证（全部 {} 类）</translation>
    </message>
    <message>
        <source>validation (all)</source>
        <translation>验证（全部）</translation>
    </message>
    <message>
        <source>validation data</source>
        <translation>验证数据</translation>
    </message>
    <message>
        <source>validation loss</source>
        <translation>验证损失</translation>
    </message>
    <message>
        <source>validation loss with these ranks: {}</source>
        <translation>使用这些秩的验证损失：{}</translation>
    </message>
    <message>
        <source>validation loss {}</source>
        <translation>验证损失 {}</translation>
    </message>
    <message>
        <source>validation loss, log scale</source>
        <translation>验证损失，对数刻度</translation>
    </message>
    <message>
        <source>variant</source>
        <translation>变体</translation>
    </message>
    <message>
        <source>v{} in the pixels</source>
        <translation>像素中的 v{}</translation>
    </message>
    <message>
        <source>v{} is excited by</source>
        <translation>激发 v{} 的是</translation>
    </message>
    <message>
        <source>waiting</source>
        <translation>等待中</translation>
    </message>
    <message>
        <source>warm-up</source>
        <translation>预热</translation>
    </message>
    <message>
        <source>warmup steps</source>
        <translation>预热步数</translation>
    </message>
    <message>
        <source>wd</source>
        <translation>wd</translation>
    </message>
    <message>
        <source>weight decay</source>
        <translation>权重衰减</translation>
    </message>
    <message>
        <source>weights {}</source>
        <translation>权重 {}</translation>
    </message>
    <message>
        <source>whole</source>
        <translation>整体</translation>
    </message>
    <message>
        <source>wide</source>
        <translation>宽</translation>
    </message>
    <message>
        <source>within 2 % of each other</source>
        <translation>彼此相差 2 % 以内</translation>
    </message>
    <message>
        <source>worst layer</source>
        <translation>最差层</translation>
    </message>
    <message>
        <source>would discard nothing: ΔW does not use those directions</source>
        <translation>不会舍去任何内容：ΔW 没有用到这些方向</translation>
    </message>
    <message>
        <source>would discard {} of ΔW&apos;s energy in {}</source>
        <translation>将舍去 {1} 中 ΔW 能量的 {0}</translation>
    </message>
    <message>
        <source>wrong answers</source>
        <translation>错误回答</translation>
    </message>
    <message>
        <source>your own</source>
        <translation>自定义</translation>
    </message>
    <message>
        <source>zero</source>
        <translation>零</translation>
    </message>
    <message>
        <source>zeroes {} of A’s inputs, the rest × {:.3g}</source>
        <translation>将 A 的输入的 {} 置零，其余 × {:.3g}</translation>
    </message>
    <message>
        <source>{:,g} days</source>
        <translation>{:,g} 天</translation>
    </message>
    <message>
        <source>{:,} adapted</source>
        <translation>已适配 {:,}</translation>
    </message>
    <message>
        <source>{:,} frozen</source>
        <translation>已冻结 {:,}</translation>
    </message>
    <message>
        <source>{:,} layers</source>
        <translation>{:,} 层</translation>
    </message>
    <message>
        <source>{:,} modules</source>
        <translation>{:,} 个模块</translation>
    </message>
    <message>
        <source>{:,} more steps, to step {:,}. </source>
        <translation>再训练 {:,} 步，到第 {:,} 步。 </translation>
    </message>
    <message>
        <source>{:,} more truncated</source>
        <translation>另截去 {:,} 个</translation>
    </message>
    <message>
        <source>{:,} not finite</source>
        <translation>{:,} 个非有限值</translation>
    </message>
    <message>
        <source>{:,} numbers move {:,} weights</source>
        <translation>{:,} 个数移动 {:,} 个权重</translation>
    </message>
    <message>
        <source>{:,} of {:,} adapted</source>
        <translation>已适配 {:,} / {:,}</translation>
    </message>
    <message>
        <source>{:,} of {:,} frozen</source>
        <translation>已冻结 {:,} / {:,}</translation>
    </message>
    <message>
        <source>{:,} of {:,} of class {} were predicted as {}</source>
        <translation>类 {2} 的 {1:,} 个中有 {0:,} 个被预测为 {3}</translation>
    </message>
    <message>
        <source>{:,} of {:,} parameters are trainable, {}</source>
        <translation>{1:,} 个参数中 {0:,} 个可训练，{2}</translation>
    </message>
    <message>
        <source>{:,} of {:,} top-k directions are intruders, at step {}.</source>
        <translation>在第 {2} 步，{1:,} 个 top-k 方向中有 {0:,} 个是入侵维度。</translation>
    </message>
    <message>
        <source>{:,} of {:,} with a per-layer rank</source>
        <translation>{1:,} 层中 {0:,} 层有单独的秩</translation>
    </message>
    <message>
        <source>{:,} parameters</source>
        <translation>{:,} 个参数</translation>
    </message>
    <message>
        <source>{:,} parameters, {}</source>
        <translation>{:,} 个参数，{}</translation>
    </message>
    <message>
        <source>{:,} rows are too many to copy. Save them as CSV.</source>
        <translation>{:,} 行太多，无法复制。请保存为 CSV。</translation>
    </message>
    <message>
        <source>{:,} rows truncated at {:,} tokens</source>
        <translation>{:,} 行在 {:,} 个 token 处截断</translation>
    </message>
    <message>
        <source>{:,} runs</source>
        <translation>{:,} 个运行</translation>
    </message>
    <message>
        <source>{:,} runs are still to be chosen, one after another</source>
        <translation>还有 {:,} 个运行待逐一选择</translation>
    </message>
    <message>
        <source>{:,} runs at most, chosen one after another, {}</source>
        <translation>最多 {:,} 个运行，逐一选择，{}</translation>
    </message>
    <message>
        <source>{:,} steps</source>
        <translation>{:,} 步</translation>
    </message>
    <message>
        <source>{:,} targets</source>
        <translation>{:,} 个目标</translation>
    </message>
    <message>
        <source>{:,} to be adapted on Restart</source>
        <translation>{:,} 个将在重新开始时适配</translation>
    </message>
    <message>
        <source>{:,} to lose its adapter on Restart</source>
        <translation>{:,} 个将在重新开始时失去适配器</translation>
    </message>
    <message>
        <source>{:,} tokens</source>
        <translation>{:,} 个 token</translation>
    </message>
    <message>
        <source>{:,} tokens, {:.0f} % label tokens</source>
        <translation>{:,} 个 token，标签 token 占 {:.0f} %</translation>
    </message>
    <message>
        <source>{:,} training rows, {:,} validation rows</source>
        <translation>{:,} 行训练数据，{:,} 行验证数据</translation>
    </message>
    <message>
        <source>{:,} validation rows were looked at, at step {:,}.</source>
        <translation>查看了 {:,} 行验证数据，第 {:,} 步。</translation>
    </message>
    <message>
        <source>{:,} with a per-layer rank</source>
        <translation>{:,} 层有单独的秩</translation>
    </message>
    <message>
        <source>{:.0f} of {:.0f} directions are unused</source>
        <translation>{1:.0f} 个方向中有 {0:.0f} 个未使用</translation>
    </message>
    <message>
        <source>{:.2f} directions of {} in use, {}</source>
        <translation>{1} 个方向中使用 {0:.2f} 个，{2}</translation>
    </message>
    <message>
        <source>{:.2g}   (mean {:.2g})</source>
        <translation>{:.2g}   (平均 {:.2g})</translation>
    </message>
    <message>
        <source>{:.2g} % off</source>
        <translation>偏差 {:.2g} %</translation>
    </message>
    <message>
        <source>{:g} passes over the data</source>
        <translation>遍历数据 {:g} 次</translation>
    </message>
    <message>
        <source>{}
It stays until the new one is complete.</source>
        <translation>{}
新内容写完之前，原有内容保留。</translation>
    </message>
    <message>
        <source>{}
The old one stays until the new one is complete.</source>
        <translation>{}
新的写完之前，旧的保留。</translation>
    </message>
    <message>
        <source>{}
{:,} parameters, loss {}</source>
        <translation>{}
{:,} 个参数，损失 {}</translation>
    </message>
    <message>
        <source>{}   ({} layers)</source>
        <translation>{}   ({} 层)</translation>
    </message>
    <message>
        <source>{} % of full fine-tuning</source>
        <translation>全量微调的 {} %</translation>
    </message>
    <message>
        <source>{} ({:.3g} %) · uses {} of {:,}</source>
        <translation>{} ({:.3g} %) · 使用 {} / {:,}</translation>
    </message>
    <message>
        <source>{} as sound, {:.0f} s: {}. {:.0f} Hz is {}, {:.0f} Hz is {}.</source>
        <translation>{} 的声音，{:.0f} 秒：{}。{:.0f} Hz 为 {}，{:.0f} Hz 为 {}。</translation>
    </message>
    <message>
        <source>{} at rank {}</source>
        <translation>{}，秩 {}</translation>
    </message>
    <message>
        <source>{} at step {:,}</source>
        <translation>{}，第 {:,} 步</translation>
    </message>
    <message>
        <source>{} at {:,}</source>
        <translation>{}，第 {:,} 步</translation>
    </message>
    <message>
        <source>{} bytes</source>
        <translation>{} 字节</translation>
    </message>
    <message>
        <source>{} cannot be opened for this task.</source>
        <translation>{} 无法用于此任务。</translation>
    </message>
    <message>
        <source>{} cannot be opened. The lab opens models (a Hugging Face folder, .safetensors, .pt, .gguf), adapters, rows (.jsonl, .csv, .parquet, .txt), folders of images, runs and their zips.</source>
        <translation>无法打开 {}。可以打开模型（Hugging Face 文件夹、.safetensors、.pt、.gguf）、适配器、数据行（.jsonl、.csv、.parquet、.txt）、图片文件夹、运行及其 zip。</translation>
    </message>
    <message>
        <source>{} classes</source>
        <translation>{} 类</translation>
    </message>
    <message>
        <source>{} classes: training and validation rows</source>
        <translation>{} 类：训练行与验证行</translation>
    </message>
    <message>
        <source>{} classes: training and validation words</source>
        <translation>{} 类：训练词与验证词</translation>
    </message>
    <message>
        <source>{} could not be moved to the trash.</source>
        <translation>无法将 {} 移到回收站。</translation>
    </message>
    <message>
        <source>{} files at most: merge some of them.</source>
        <translation>最多 {} 个文件：请先合并其中一些。</translation>
    </message>
    <message>
        <source>{} from {} to {}</source>
        <translation>{} 从 {} 到 {}</translation>
    </message>
    <message>
        <source>{} has come back whole, and can be trained on.</source>
        <translation>{} 已完整返回，可以继续训练。</translation>
    </message>
    <message>
        <source>{} has finished; it opens with its plots.</source>
        <translation>{} 已完成；打开时显示其图。</translation>
    </message>
    <message>
        <source>{} has no B with a learning rate of its own.</source>
        <translation>{} 没有带独立学习率的 B。</translation>
    </message>
    <message>
        <source>{} has no checkpoint. A new run can begin with its settings.</source>
        <translation>{} 没有检查点。可用其设置开始新的运行。</translation>
    </message>
    <message>
        <source>{} has no factors A and B.</source>
        <translation>{} 没有因子 A 和 B。</translation>
    </message>
    <message>
        <source>{} hints…</source>
        <translation>{} 条提示…</translation>
    </message>
    <message>
        <source>{} is an adapter, not a model. The workshop inspects, resizes, merges and converts it.</source>
        <translation>{} 是适配器，不是模型。工坊可查看、调整、合并和转换它。</translation>
    </message>
    <message>
        <source>{} is an adapter.</source>
        <translation>{} 是适配器。</translation>
    </message>
    <message>
        <source>{} is here already.</source>
        <translation>{} 已在此处。</translation>
    </message>
    <message>
        <source>{} is on a cluster. Attach shows what has come of it, as it comes.</source>
        <translation>{} 在集群上。“连接”会随到随显示其结果。</translation>
    </message>
    <message>
        <source>{} is open here and trains in the background.</source>
        <translation>{} 已在此打开，正在后台训练。</translation>
    </message>
    <message>
        <source>{} is open, here or in another window.</source>
        <translation>{} 已在此处或其他窗口打开。</translation>
    </message>
    <message>
        <source>{} is open, here or in another window. Close it there first.</source>
        <translation>{} 已在此处或其他窗口打开。请先在那里关闭。</translation>
    </message>
    <message>
        <source>{} is opened. Only one can be opened at a time, so these are not: {}</source>
        <translation>正在打开 {}。一次只能打开一个，因此未打开：{}</translation>
    </message>
    <message>
        <source>{} keeps {} of ΔW’s energy</source>
        <translation>{} 保留 ΔW 能量的 {}</translation>
    </message>
    <message>
        <source>{} layers</source>
        <translation>{} 层</translation>
    </message>
    <message>
        <source>{} layers in common, median cosine {:.3f}</source>
        <translation>{} 个共有层，余弦中位数 {:.3f}</translation>
    </message>
    <message>
        <source>{} left</source>
        <translation>剩余 {}</translation>
    </message>
    <message>
        <source>{} max</source>
        <translation>最大 {}</translation>
    </message>
    <message>
        <source>{} more</source>
        <translation>另有 {} 条</translation>
    </message>
    <message>
        <source>{} moves its weights by no projection.</source>
        <translation>{} 不通过投影移动其权重。</translation>
    </message>
    <message>
        <source>{} moves what it moves at any size.</source>
        <translation>{} 在任何规模下移动的内容都一样。</translation>
    </message>
    <message>
        <source>{} needs continuous inputs, and an embedding is among the targets.</source>
        <translation>{} 需要连续输入，而目标中有嵌入层。</translation>
    </message>
    <message>
        <source>{} of the energy</source>
        <translation>能量的 {}</translation>
    </message>
    <message>
        <source>{} of {}</source>
        <translation>{} / {}</translation>
    </message>
    <message>
        <source>{} of {} finished</source>
        <translation>已完成 {} / {}</translation>
    </message>
    <message>
        <source>{} of {} runs are there. About {} for the others.</source>
        <translation>{} / {} 个运行已就绪。其余约需 {}。</translation>
    </message>
    <message>
        <source>{} of {} runs are there. About {} for {:,} more of {:,} steps.</source>
        <translation>{} / {} 个运行已就绪。约需 {}，另有 {:,} 个运行，每个 {:,} 步。</translation>
    </message>
    <message>
        <source>{} others</source>
        <translation>另 {} 个</translation>
    </message>
    <message>
        <source>{} pairs of runs; in brackets what chance makes.</source>
        <translation>{} 对运行；括号内为随机期望。</translation>
    </message>
    <message>
        <source>{} parameters, {:.3g} % of full</source>
        <translation>{} 个参数，全量的 {:.3g} %</translation>
    </message>
    <message>
        <source>{} pp</source>
        <translation>{} pp</translation>
    </message>
    <message>
        <source>{} resumes at step {:,}, bit for bit on this machine.</source>
        <translation>{} 从第 {:,} 步恢复，在本机上逐位一致。</translation>
    </message>
    <message>
        <source>{} runs are shown already; no more fit.</source>
        <translation>已显示 {} 个运行；无法再添加。</translation>
    </message>
    <message>
        <source>{} runs selected.</source>
        <translation>已选 {} 个运行。</translation>
    </message>
    <message>
        <source>{} shows no curve and no bars yet. Train a few steps first.</source>
        <translation>{} 尚无曲线或条形图。请先训练几步。</translation>
    </message>
    <message>
        <source>{} shows no numbers yet. Train a few steps first.</source>
        <translation>{} 尚无数值。请先训练几步。</translation>
    </message>
    <message>
        <source>{} starts from what packing the base into 4 or 8 bits loses.</source>
        <translation>{} 从基座打包为 4 或 8 位所丢失的部分开始。</translation>
    </message>
    <message>
        <source>{} steps tried</source>
        <translation>已试 {} 步</translation>
    </message>
    <message>
        <source>{} steps were tried, until the loss diverged; the model is restored. </source>
        <translation>试了 {} 步，直到损失发散；模型已恢复。 </translation>
    </message>
    <message>
        <source>{} steps were tried, up to the highest learning rate; the model is restored. </source>
        <translation>试了 {} 步，直到最高学习率；模型已恢复。 </translation>
    </message>
    <message>
        <source>{} steps/s</source>
        <translation>{} 步/秒</translation>
    </message>
    <message>
        <source>{} trains in the background. Attach shows it; it continues either way.</source>
        <translation>{} 正在后台训练。“连接”可显示它；无论如何都会继续。</translation>
    </message>
    <message>
        <source>{} undone</source>
        <translation>撤销 {}</translation>
    </message>
    <message>
        <source>{} was interrupted at step {:,}.</source>
        <translation>{} 在第 {:,} 步中断。</translation>
    </message>
    <message>
        <source>{} would discard nothing of ΔW</source>
        <translation>{} 不会舍去 ΔW 的任何部分</translation>
    </message>
    <message>
        <source>{} would discard {} of ΔW’s energy{}</source>
        <translation>{} 将舍去 ΔW 能量的 {}{}</translation>
    </message>
    <message>
        <source>{} {} off</source>
        <translation>{} {} 关</translation>
    </message>
    <message>
        <source>{} {}.
Type here to use others.</source>
        <translation>{} {}。
在此输入以使用其他矩阵。</translation>
    </message>
    <message>
        <source>{} × {} at {:.0f} %</source>
        <translation>{} × {}，{:.0f} %</translation>
    </message>
    <message>
        <source>{}, applied</source>
        <translation>{}，已应用</translation>
    </message>
    <message>
        <source>{}, exact</source>
        <translation>{}，精确值</translation>
    </message>
    <message>
        <source>{}, explained</source>
        <translation>{}，说明</translation>
    </message>
    <message>
        <source>{}, in background</source>
        <translation>{}，在后台</translation>
    </message>
    <message>
        <source>{}, in the background</source>
        <translation>{}，在后台</translation>
    </message>
    <message>
        <source>{}, off → on</source>
        <translation>{}，关 → 开</translation>
    </message>
    <message>
        <source>{}, row {}, column {}: {}</source>
        <translation>{}，第 {} 行，第 {} 列：{}</translation>
    </message>
    <message>
        <source>{}, step {:,}</source>
        <translation>{}，第 {:,} 步</translation>
    </message>
    <message>
        <source>{}, watched</source>
        <translation>{}，观看中</translation>
    </message>
    <message>
        <source>{}. Singular values {}{}. Rank {} by σ, {} by elimination. Cut after {}: energy kept {}, error {}.</source>
        <translation>{}。奇异值 {}{}。秩：按 σ 为 {}，按消元为 {}。在 {} 后截断：保留能量 {}，误差 {}。</translation>
    </message>
    <message>
        <source>{}: lane {}</source>
        <translation>{}：赛道 {}</translation>
    </message>
    <message>
        <source>{}: none</source>
        <translation>{}：无</translation>
    </message>
    <message>
        <source>{}: not of what is open now</source>
        <translation>{}：不属于当前打开的内容</translation>
    </message>
    <message>
        <source>{}: step {:,}</source>
        <translation>{}：第 {:,} 步</translation>
    </message>
    <message>
        <source>{}: {:,} of {:,} wrong</source>
        <translation>{0}：{2:,} 个中 {1:,} 个错误</translation>
    </message>
    <message>
        <source>{}: {:,} parameters in {:,} tensors, {}, {}</source>
        <translation>{}：{:,} 个参数，{:,} 个张量，{}，{}</translation>
    </message>
    <message>
        <source>{}: {:.2f} % of the energy kept, {} of {}</source>
        <translation>{}：保留 {:.2f} % 的能量，{} / {}</translation>
    </message>
    <message>
        <source>{}: {} at step {:,}.</source>
        <translation>{}：{}，第 {:,} 步。</translation>
    </message>
    <message>
        <source>{}: σ₁ = {} at step {:,}</source>
        <translation>{}：σ₁ = {}，第 {:,} 步</translation>
    </message>
    <message>
        <source>{}; rank {} comes within 5 % of it with {:,} numbers.</source>
        <translation>{}；秩 {} 用 {:,} 个数即可达到其 5 % 以内。</translation>
    </message>
    <message>
        <source>{}s</source>
        <translation>{}</translation>
    </message>
    <message>
        <source>{}u{} writes</source>
        <translation>{}u{} 写出</translation>
    </message>
    <message>
        <source>ΔW / random</source>
        <translation>ΔW / 随机</translation>
    </message>
    <message>
        <source>ΔW = (α/r)·(B₀ + P·θ)·(A₀ + P·θ), d numbers for the factors of all layers. Li et al. 2025, arXiv 2506.00799</source>
        <translation>ΔW = (α/r)·(B₀ + P·θ)·(A₀ + P·θ)，所有层的因子共用 d 个数。Li 等 2025，arXiv 2506.00799</translation>
    </message>
    <message>
        <source>ΔW = (α/r)·B·A. Hu et al. 2021, arXiv 2106.09685</source>
        <translation>ΔW = (α/r)·B·A。Hu et al. 2021, arXiv 2106.09685</translation>
    </message>
    <message>
        <source>ΔW = (α/r)·B·A₀, A₀ stays as it was drawn. Zhang et al. 2023, arXiv 2308.03303</source>
        <translation>ΔW = (α/r)·B·A₀，A₀ 保持抽取时的值。Zhang et al. 2023, arXiv 2308.03303</translation>
    </message>
    <message>
        <source>ΔW = (α/r)·U_r·Σ_r·R·V_rᵀ with W = U·Σ·Vᵀ; only R (r × r) learns. Bałazy et al. 2024, arXiv 2405.17604</source>
        <translation>ΔW = (α/r)·U_r·Σ_r·R·V_rᵀ，其中 W = U·Σ·Vᵀ；只有 R（r × r）学习。Bałazy et al. 2024, arXiv 2405.17604</translation>
    </message>
    <message>
        <source>ΔW = (α/√r)·B·A. Kalajdzievski 2023, arXiv 2312.03732</source>
        <translation>ΔW = (α/√r)·B·A。Kalajdzievski 2023, arXiv 2312.03732</translation>
    </message>
    <message>
        <source>ΔW = 0, or not measured yet</source>
        <translation>ΔW = 0，或尚未测量</translation>
    </message>
    <message>
        <source>ΔW = W′ − W, every entry trains: the comparison, not for export</source>
        <translation>ΔW = W′ − W，每个元素都训练：用于对照，不供导出</translation>
    </message>
    <message>
        <source>ΔW = diag(b)·B·diag(d)·A; A, B random, frozen and shared; b, d learn. Kopiczko et al. 2023, arXiv 2310.11454</source>
        <translation>ΔW = diag(b)·B·diag(d)·A；A、B 随机、冻结且共享；b、d 学习。Kopiczko et al. 2023, arXiv 2310.11454</translation>
    </message>
    <message>
        <source>ΔW = s·B·A. Out of the box these programs multiply by an s that differs 320-fold. “α for the same s” is what to set there; “Strength” gives the same file the same effect where the program applies its own default s; “Learning rate” moves ΔW as far per step when training there with its default.</source>
        <translation>ΔW = s·B·A。这些程序默认所乘的 s 相差 320 倍。“相同 s 所需的 α”是应在那里设置的值；“强度”在程序使用自身默认 s 时让同一文件有相同效果；“学习率”使在那里以默认值训练时 ΔW 每步移动同样远。</translation>
    </message>
    <message>
        <source>ΔW and &amp;W</source>
        <translation>ΔW 与 W(&amp;W)</translation>
    </message>
    <message>
        <source>ΔW follows α at once</source>
        <translation>ΔW 立即随 α 变化</translation>
    </message>
    <message>
        <source>ΔW is 0 in this layer: there are no directions yet. Train first.</source>
        <translation>此层的 ΔW 为 0：尚无方向。请先训练。</translation>
    </message>
    <message>
        <source>ΔW is above the rounding of the base: {} of ‖W‖ beside {}</source>
        <translation>ΔW 高于基座的舍入：‖W‖ 的 {}，舍入为 {}</translation>
    </message>
    <message>
        <source>ΔW is below the rounding of the base in {:,} of {:,} layers</source>
        <translation>ΔW 在 {:,} / {:,} 层中低于基座的舍入</translation>
    </message>
    <message>
        <source>ΔW is below the rounding of the base: {} of ‖W‖ beside {}</source>
        <translation>ΔW 低于基座的舍入：‖W‖ 的 {}，舍入为 {}</translation>
    </message>
    <message>
        <source>ΔW is not finite in some layer: it cannot be merged. Lower the learning rate or α, and continue from the last good step.</source>
        <translation>某层的 ΔW 不是有限值：无法合并。请降低学习率或 α，并从最后一个正常的步继续。</translation>
    </message>
    <message>
        <source>ΔW is not finite.</source>
        <translation>ΔW 不是有限值。</translation>
    </message>
    <message>
        <source>ΔW is still 0</source>
        <translation>ΔW 仍为 0</translation>
    </message>
    <message>
        <source>ΔW is zero at this step: it has no directions yet.</source>
        <translation>此步 ΔW 为零：尚无方向。</translation>
    </message>
    <message>
        <source>ΔW is zero until the first step.</source>
        <translation>第一步之前 ΔW 为零。</translation>
    </message>
    <message>
        <source>ΔW is zero.</source>
        <translation>ΔW 为零。</translation>
    </message>
    <message>
        <source>ΔW is zero: there is nothing to merge yet. Train first.</source>
        <translation>ΔW 为零：尚无可合并的内容。请先训练。</translation>
    </message>
    <message>
        <source>ΔW lost</source>
        <translation>ΔW 损失</translation>
    </message>
    <message>
        <source>ΔW of {} has numerical rank {} at step {:,}</source>
        <translation>在第 {2:,} 步，{0} 的 ΔW 数值秩为 {1}</translation>
    </message>
    <message>
        <source>ΔW of {} is not finite: the last finite one is restored</source>
        <translation>{} 的 ΔW 不是有限值：已恢复最后一个有限值</translation>
    </message>
    <message>
        <source>ΔW stays as it is and B is rescaled: α acts like a learning rate of B</source>
        <translation>ΔW 不变而 B 被重缩放：α 相当于 B 的学习率</translation>
    </message>
    <message>
        <source>ΔW uses all of its rank {:,}; a larger rank may help.</source>
        <translation>ΔW 用满了秩 {:,}；更大的秩可能有帮助。</translation>
    </message>
    <message>
        <source>ΔW was trained at rank {:,} and cannot indicate a larger one.</source>
        <translation>ΔW 以秩 {:,} 训练，无法提示更大的秩。</translation>
    </message>
    <message>
        <source>ΔW&apos;s energy</source>
        <translation>ΔW 的能量</translation>
    </message>
    <message>
        <source>ΔW, what it reads</source>
        <translation>ΔW 所读</translation>
    </message>
    <message>
        <source>ΔW, what it writes</source>
        <translation>ΔW 所写</translation>
    </message>
    <message>
        <source>Σr</source>
        <translation>Σr</translation>
    </message>
    <message>
        <source>α</source>
        <translation>α</translation>
    </message>
    <message>
        <source>α = 2r</source>
        <translation>α = 2r</translation>
    </message>
    <message>
        <source>α follows the rank, so that s stays</source>
        <translation>α 随秩变化，使 s 不变</translation>
    </message>
    <message>
        <source>α for the same s</source>
        <translation>相同 s 所需的 α</translation>
    </message>
    <message>
        <source>α is twice the rank</source>
        <translation>α 为秩的两倍</translation>
    </message>
    <message>
        <source>α mode</source>
        <translation>α 模式</translation>
    </message>
    <message>
        <source>α of an adapter whose file stores none</source>
        <translation>文件未存 α 的适配器的 α</translation>
    </message>
    <message>
        <source>α stays: a higher rank lowers s</source>
        <translation>α 不变：秩越高 s 越小</translation>
    </message>
    <message>
        <source>β</source>
        <translation>β</translation>
    </message>
    <message>
        <source>β between 0.2 and 0.3 in language models</source>
        <translation>语言模型中 β 介于 0.2 与 0.3 之间</translation>
    </message>
    <message>
        <source>β of DPO (Rafailov et al. 2023, arXiv 2305.18290): how strongly the model is held to its base, the adapter off. A small one lets it go further. For preference pairs alone.</source>
        <translation>DPO 的 β（Rafailov et al. 2023, arXiv 2305.18290）：模型受其基座（适配器关）约束的强度。值小则可偏离更远。仅用于偏好对。</translation>
    </message>
    <message>
        <source>λ</source>
        <translation>λ</translation>
    </message>
    <message>
        <source>λ of LoRA+ (Hayou et al. 2024, arXiv 2402.12354): the learning rate of B over that of A. 1: none; the paper&apos;s is 16.</source>
        <translation>LoRA+ 的 λ（Hayou et al. 2024, arXiv 2402.12354）：B 的学习率与 A 的学习率之比。1：不使用；论文取 16。</translation>
    </message>
    <message>
        <source>σ clip</source>
        <translation>σ 裁剪</translation>
    </message>
    <message>
        <source>σ of {} clipped at step {:,}.</source>
        <translation>已在第 {1:,} 步裁剪 {0} 的 σ。</translation>
    </message>
    <message>
        <source>σ of ΔW</source>
        <translation>ΔW 的 σ</translation>
    </message>
    <message>
        <source>σ over steps</source>
        <translation>σ 随步数的变化</translation>
    </message>
    <message>
        <source>σ {}   ({:,} values; stable rank {:.3g}, effective rank {:.4g})</source>
        <translation>σ {}   ({:,} 个值；稳定秩 {:.3g}，有效秩 {:.4g})</translation>
    </message>
    <message>
        <source>σ ≤ {}</source>
        <translation>σ ≤ {}</translation>
    </message>
    <message>
        <source>σᵢ &gt; max(m, n)·ε·σ₁, as numpy&apos;s matrix_rank</source>
        <translation>σᵢ &gt; max(m, n)·ε·σ₁，同 numpy 的 matrix_rank</translation>
    </message>
    <message>
        <source>σ₁ holds {} of ΔW’s energy ({} at step {:,})</source>
        <translation>σ₁ 占 ΔW 能量的 {0}（第 {2:,} 步时为 {1}）</translation>
    </message>
    <message>
        <source>σ₁ of each layer</source>
        <translation>各层的 σ₁</translation>
    </message>
    <message>
        <source>σ₁ of every layer over steps</source>
        <translation>各层 σ₁ 随步数的变化</translation>
    </message>
    <message>
        <source>σ₁/σ{} is too large for float64: rounding dominates.</source>
        <translation>σ₁/σ{} 对 float64 过大：舍入误差占主导。</translation>
    </message>
    <message>
        <source>φ(i, j) at the start</source>
        <translation>起始时的 φ(i, j)</translation>
    </message>
    <message>
        <source>φ(i, j) by chance</source>
        <translation>随机的 φ(i, j)</translation>
    </message>
    <message>
        <source>φ(i, j) now</source>
        <translation>当前的 φ(i, j)</translation>
    </message>
    <message>
        <source>φ(i, j) of the selected layer</source>
        <translation>所选层的 φ(i, j)</translation>
    </message>
    <message>
        <source>‖UᵀWV‖ with the singular vectors U, V of ΔW, of W, and of random matrices: what W does in those directions (LoRA §7.3). Medians over the runs.</source>
        <translation>‖UᵀWV‖，U、V 为 ΔW、W 及随机矩阵的奇异向量：W 在这些方向上的作用（LoRA §7.3）。取各运行的中位数。</translation>
    </message>
    <message>
        <source>‖W − W_file‖/‖W_file‖: what packing the base into 4 or 8 bits lost. It stands out where ΔW is smaller than that</source>
        <translation>‖W − W_文件‖/‖W_文件‖：基座打包为 4 或 8 位所丢失的部分。ΔW 小于它时突出显示</translation>
    </message>
    <message>
        <source>‖error‖ / ‖W‖</source>
        <translation>‖误差‖ / ‖W‖</translation>
    </message>
    <message>
        <source>‖ΔW‖ / ‖UᵀWV‖, of ΔW</source>
        <translation>‖ΔW‖ / ‖UᵀWV‖，ΔW 的</translation>
    </message>
    <message>
        <source>‖ΔW‖ / ‖W‖ = {}, at step {:,}{}</source>
        <translation>‖ΔW‖ / ‖W‖ = {}，第 {:,} 步{}</translation>
    </message>
    <message>
        <source>‖ΔW‖ {} at step {:,} → {} at step {:,}</source>
        <translation>‖ΔW‖ {}（第 {:,} 步）→ {}（第 {:,} 步）</translation>
    </message>
    <message>
        <source>‖ΔW‖/‖W‖</source>
        <translation>‖ΔW‖/‖W‖</translation>
    </message>
    <message>
        <source>‖ΔW‖/‖W‖ {} in this layer</source>
        <translation>此层 ‖ΔW‖/‖W‖ {}</translation>
    </message>
    <message>
        <source>‖ΔW‖/‖W‖ {}{}</source>
        <translation>‖ΔW‖/‖W‖ {}{}</translation>
    </message>
    <message>
        <source>… with a tolerance</source>
        <translation>… 带容差</translation>
    </message>
    <message>
        <source>→ best validation loss</source>
        <translation>→ 最佳验证损失</translation>
    </message>
    <message>
        <source>→ rank at the end</source>
        <translation>→ 结束时的秩</translation>
    </message>
    <message>
        <source>→ steps trained</source>
        <translation>→ 训练步数</translation>
    </message>
    <message>
        <source>→ time</source>
        <translation>→ 时间</translation>
    </message>
    <message>
        <source>→ training loss</source>
        <translation>→ 训练损失</translation>
    </message>
    <message>
        <source>→ α at the end</source>
        <translation>→ 结束时的 α</translation>
    </message>
    <message>
        <source>↓ true class    → predicted</source>
        <translation>↓ 真实类    → 预测</translation>
    </message>
    <message>
        <source>≥ {} (first {} σ)</source>
        <translation>≥ {} (前 {} 个 σ)</translation>
    </message>
</context>
</TS>

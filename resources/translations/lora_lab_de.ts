<?xml version="1.0" encoding="utf-8"?>
<!DOCTYPE TS>
<TS version="2.1" language="de" sourcelanguage="en">
<context>
    <name>lora-lab</name>
    <message>
        <source>
branch of {} at step {:,}</source>
        <translation>
Zweig von {} ab Schritt {:,}</translation>
    </message>
    <message>
        <source>   (validation loss {:.4g})</source>
        <translation>   (Validierungs-Loss {:.4g})</translation>
    </message>
    <message>
        <source> (cut)</source>
        <translation> (abgeschnitten)</translation>
    </message>
    <message>
        <source> 1 layer is too large to analyse.</source>
        <translation> 1 Schicht ist zu groß für die Analyse.</translation>
    </message>
    <message>
        <source> Also interrupted: {}.</source>
        <translation> Ebenfalls unterbrochen: {}.</translation>
    </message>
    <message>
        <source> Branch of {} at step {:,}.</source>
        <translation> Zweig von {} ab Schritt {:,}.</translation>
    </message>
    <message>
        <source> Its adapter is kept in {}</source>
        <translation> Sein Adapter bleibt in {}</translation>
    </message>
    <message>
        <source> Stopped after {:,} of {:,} layers.</source>
        <translation> Nach {:,} von {:,} Schichten gestoppt.</translation>
    </message>
    <message>
        <source> The {:,} steps after it were not saved and will be repeated.</source>
        <translation> Die {:,} Schritte danach wurden nicht gespeichert und werden wiederholt.</translation>
    </message>
    <message>
        <source> and </source>
        <translation> und </translation>
    </message>
    <message>
        <source> or </source>
        <translation> oder </translation>
    </message>
    <message>
        <source> seed</source>
        <translation> Seed</translation>
    </message>
    <message>
        <source> token</source>
        <translation> Token</translation>
    </message>
    <message>
        <source> tokens</source>
        <translation> Token</translation>
    </message>
    <message>
        <source> {:,} layers are too large to analyse.</source>
        <translation> {:,} Schichten sind zu groß für die Analyse.</translation>
    </message>
    <message>
        <source> {} failed.</source>
        <translation> {} fehlgeschlagen.</translation>
    </message>
    <message>
        <source> · time left {}</source>
        <translation> · Restzeit {}</translation>
    </message>
    <message>
        <source> · validation loss {}</source>
        <translation> · Validierungs-Loss {}</translation>
    </message>
    <message>
        <source> · {:,} left out</source>
        <translation> · {:,} ausgelassen</translation>
    </message>
    <message>
        <source> · {} pending until the queue is started</source>
        <translation> · {} offen, bis die Warteschlange gestartet wird</translation>
    </message>
    <message>
        <source> – a hint: energy is not loss</source>
        <translation> – ein Hinweis: Energie ist nicht Loss</translation>
    </message>
    <message>
        <source> – a hint: σ(ΔW) is not what truncating the factors removes</source>
        <translation> – ein Hinweis: σ(ΔW) ist nicht das, was beim Kürzen der Faktoren wegfällt</translation>
    </message>
    <message>
        <source>&amp;Adapt on Restart</source>
        <translation>Beim &amp;Neustart adaptieren</translation>
    </message>
    <message>
        <source>&amp;Adapter</source>
        <translation>&amp;Adapter</translation>
    </message>
    <message>
        <source>&amp;Add 1 run</source>
        <translation>1 Lau&amp;f hinzufügen</translation>
    </message>
    <message>
        <source>&amp;Add to the queue</source>
        <translation>Zur Warteschlange &amp;hinzufügen</translation>
    </message>
    <message>
        <source>&amp;Add {:,} runs</source>
        <translation>{:,} Läu&amp;fe hinzufügen</translation>
    </message>
    <message>
        <source>&amp;Base model</source>
        <translation>&amp;Basismodell</translation>
    </message>
    <message>
        <source>&amp;Batch</source>
        <translation>Bat&amp;ch</translation>
    </message>
    <message>
        <source>&amp;Branch</source>
        <translation>A&amp;bzweigen</translation>
    </message>
    <message>
        <source>&amp;Browse…</source>
        <translation>Du&amp;rchsuchen…</translation>
    </message>
    <message>
        <source>&amp;Cancel</source>
        <translation>&amp;Abbrechen</translation>
    </message>
    <message>
        <source>&amp;Clear this list</source>
        <translation>&amp;Liste leeren</translation>
    </message>
    <message>
        <source>&amp;Clip</source>
        <translation>Be&amp;grenzen</translation>
    </message>
    <message>
        <source>&amp;Compare</source>
        <translation>&amp;Vergleichen</translation>
    </message>
    <message>
        <source>&amp;Compare merge methods</source>
        <translation>Merge-Methoden &amp;vergleichen</translation>
    </message>
    <message>
        <source>&amp;Continue training</source>
        <translation>Training &amp;fortsetzen</translation>
    </message>
    <message>
        <source>&amp;Copy</source>
        <translation>&amp;Kopieren</translation>
    </message>
    <message>
        <source>&amp;Copy report</source>
        <translation>Bericht &amp;kopieren</translation>
    </message>
    <message>
        <source>&amp;Data</source>
        <translation>Da&amp;ten</translation>
    </message>
    <message>
        <source>&amp;Download</source>
        <translation>&amp;Herunterladen</translation>
    </message>
    <message>
        <source>&amp;Edit</source>
        <translation>&amp;Bearbeiten</translation>
    </message>
    <message>
        <source>&amp;Export</source>
        <translation>&amp;Exportieren</translation>
    </message>
    <message>
        <source>&amp;Export the adapter…</source>
        <translation>Adapter &amp;exportieren…</translation>
    </message>
    <message>
        <source>&amp;Extract</source>
        <translation>&amp;Extrahieren</translation>
    </message>
    <message>
        <source>&amp;File</source>
        <translation>&amp;Datei</translation>
    </message>
    <message>
        <source>&amp;Folder…</source>
        <translation>&amp;Ordner…</translation>
    </message>
    <message>
        <source>&amp;Format</source>
        <translation>&amp;Format</translation>
    </message>
    <message>
        <source>&amp;Freeze</source>
        <translation>Ein&amp;frieren</translation>
    </message>
    <message>
        <source>&amp;Help</source>
        <translation>&amp;Hilfe</translation>
    </message>
    <message>
        <source>&amp;How it works</source>
        <translation>So &amp;geht es</translation>
    </message>
    <message>
        <source>&amp;Inspect, resize, convert</source>
        <translation>&amp;Inspizieren, kürzen, konvertieren</translation>
    </message>
    <message>
        <source>&amp;Keep</source>
        <translation>&amp;Behalten</translation>
    </message>
    <message>
        <source>&amp;Keep the lab open</source>
        <translation>Lab &amp;offen lassen</translation>
    </message>
    <message>
        <source>&amp;Keep this run open</source>
        <translation>Diesen Lauf offen &amp;lassen</translation>
    </message>
    <message>
        <source>&amp;Leave out on Restart</source>
        <translation>Beim &amp;Neustart auslassen</translation>
    </message>
    <message>
        <source>&amp;Load…</source>
        <translation>&amp;Laden…</translation>
    </message>
    <message>
        <source>&amp;Matrix W</source>
        <translation>&amp;Matrix W</translation>
    </message>
    <message>
        <source>&amp;Measure again</source>
        <translation>Erneut &amp;messen</translation>
    </message>
    <message>
        <source>&amp;Merge</source>
        <translation>&amp;Merge</translation>
    </message>
    <message>
        <source>&amp;Model order</source>
        <translation>&amp;Modellreihenfolge</translation>
    </message>
    <message>
        <source>&amp;Momentum</source>
        <translation>&amp;Momentum</translation>
    </message>
    <message>
        <source>&amp;Move</source>
        <translation>&amp;Verschieben</translation>
    </message>
    <message>
        <source>&amp;None</source>
        <translation>&amp;Keine</translation>
    </message>
    <message>
        <source>&amp;Open</source>
        <translation>Ö&amp;ffnen</translation>
    </message>
    <message>
        <source>&amp;Open…</source>
        <translation>&amp;Öffnen…</translation>
    </message>
    <message>
        <source>&amp;Prove it by the library it is for</source>
        <translation>Mit der &amp;Zielbibliothek prüfen</translation>
    </message>
    <message>
        <source>&amp;Queue its runs</source>
        <translation>Seine Läufe &amp;einreihen</translation>
    </message>
    <message>
        <source>&amp;Queue the runs</source>
        <translation>Die Läufe &amp;einreihen</translation>
    </message>
    <message>
        <source>&amp;Rank</source>
        <translation>&amp;Rang</translation>
    </message>
    <message>
        <source>&amp;Reading</source>
        <translation>&amp;Lesart</translation>
    </message>
    <message>
        <source>&amp;Replace</source>
        <translation>Ersetze&amp;n</translation>
    </message>
    <message>
        <source>&amp;Restart</source>
        <translation>&amp;Neu starten</translation>
    </message>
    <message>
        <source>&amp;Revert</source>
        <translation>&amp;Zurückgehen</translation>
    </message>
    <message>
        <source>&amp;Run</source>
        <translation>&amp;Lauf</translation>
    </message>
    <message>
        <source>&amp;Run it</source>
        <translation>&amp;Ausführen</translation>
    </message>
    <message>
        <source>&amp;Runs of this row</source>
        <translation>&amp;Läufe dieser Zeile</translation>
    </message>
    <message>
        <source>&amp;Save</source>
        <translation>&amp;Speichern</translation>
    </message>
    <message>
        <source>&amp;Save and close</source>
        <translation>&amp;Speichern und schließen</translation>
    </message>
    <message>
        <source>&amp;Scales</source>
        <translation>&amp;Skalierungen</translation>
    </message>
    <message>
        <source>&amp;Search again</source>
        <translation>Erneut &amp;suchen</translation>
    </message>
    <message>
        <source>&amp;Seed</source>
        <translation>Se&amp;ed</translation>
    </message>
    <message>
        <source>&amp;Shared directions</source>
        <translation>&amp;Gemeinsame Richtungen</translation>
    </message>
    <message>
        <source>&amp;Show folder</source>
        <translation>Ordner zei&amp;gen</translation>
    </message>
    <message>
        <source>&amp;Steps</source>
        <translation>&amp;Schritte</translation>
    </message>
    <message>
        <source>&amp;Stop</source>
        <translation>&amp;Stopp</translation>
    </message>
    <message>
        <source>&amp;Task</source>
        <translation>&amp;Aufgabe</translation>
    </message>
    <message>
        <source>&amp;Threshold</source>
        <translation>Sch&amp;welle</translation>
    </message>
    <message>
        <source>&amp;Undo the clip</source>
        <translation>Begrenzung &amp;zurücknehmen</translation>
    </message>
    <message>
        <source>&amp;Unfreeze</source>
        <translation>Auf&amp;tauen</translation>
    </message>
    <message>
        <source>&amp;Up</source>
        <translation>Nach &amp;oben</translation>
    </message>
    <message>
        <source>&amp;View</source>
        <translation>An&amp;sicht</translation>
    </message>
    <message>
        <source>&amp;Warm-up</source>
        <translation>&amp;Warm-up</translation>
    </message>
    <message>
        <source>&amp;Where to write it</source>
        <translation>Zie&amp;l</translation>
    </message>
    <message>
        <source>&amp;Write to</source>
        <translation>Schreiben nac&amp;h</translation>
    </message>
    <message>
        <source>&amp;untie a weight that is used twice</source>
        <translation>doppelt benutztes Gewicht &amp;trennen</translation>
    </message>
    <message>
        <source>(ends at once)</source>
        <translation>(endet sofort)</translation>
    </message>
    <message>
        <source>(of {})</source>
        <translation>(von {})</translation>
    </message>
    <message>
        <source>* the smallest or largest rate that was tried: others may be better.</source>
        <translation>* die kleinste oder größte versuchte Rate: andere können besser sein.</translation>
    </message>
    <message>
        <source>, accuracy</source>
        <translation>, Genauigkeit</translation>
    </message>
    <message>
        <source>, accuracy {}</source>
        <translation>, Genauigkeit {}</translation>
    </message>
    <message>
        <source>, before an edit</source>
        <translation>, vor einer Änderung</translation>
    </message>
    <message>
        <source>, from {:.0%} of the entries</source>
        <translation>, aus {:.0%} der Einträge</translation>
    </message>
    <message>
        <source>, largest singular value {}</source>
        <translation>, größter Singulärwert {}</translation>
    </message>
    <message>
        <source>, loss</source>
        <translation>, Loss</translation>
    </message>
    <message>
        <source>, most in {}</source>
        <translation>, am meisten in {}</translation>
    </message>
    <message>
        <source>, the first {} σ of each</source>
        <translation>, jeweils die ersten {} σ</translation>
    </message>
    <message>
        <source>, worst layer {}</source>
        <translation>, schlechteste Schicht {}</translation>
    </message>
    <message>
        <source>, {:,} truncated at {:,}</source>
        <translation>, {:,} bei {:,} gekürzt</translation>
    </message>
    <message>
        <source>, {} snapshots kept</source>
        <translation>, {} Momentaufnahmen</translation>
    </message>
    <message>
        <source>, σ ± {}</source>
        <translation>, σ ± {}</translation>
    </message>
    <message>
        <source>. Colours go from {} to {}</source>
        <translation>. Farben reichen von {} bis {}</translation>
    </message>
    <message>
        <source>. The memory of a step is estimated once it is open.</source>
        <translation>. Der Speicherbedarf eines Schritts wird nach dem Öffnen geschätzt.</translation>
    </message>
    <message>
        <source>.csv, .txt, .npy or an image; or drop one on the window</source>
        <translation>.csv, .txt, .npy oder ein Bild; oder auf das Fenster ziehen</translation>
    </message>
    <message>
        <source>0   (bit for bit)</source>
        <translation>0   (Bit für Bit)</translation>
    </message>
    <message>
        <source>0 takes the likeliest token; above, one is drawn from softmax(logits / T)</source>
        <translation>0 nimmt das wahrscheinlichste Token; darüber wird aus softmax(logits / T) gezogen</translation>
    </message>
    <message>
        <source>00,000 steps/s</source>
        <translation>00,000 Schritte/s</translation>
    </message>
    <message>
        <source>0:00:00 left</source>
        <translation>noch 0:00:00</translation>
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
        <translation>1 Hinweis…</translation>
    </message>
    <message>
        <source>1 layer</source>
        <translation>1 Schicht</translation>
    </message>
    <message>
        <source>1 other</source>
        <translation>1 weiterer</translation>
    </message>
    <message>
        <source>1 parameter</source>
        <translation>1 Parameter</translation>
    </message>
    <message>
        <source>1 run</source>
        <translation>1 Lauf</translation>
    </message>
    <message>
        <source>1/(i + j − 1): no row repeats another, and yet float64 cannot tell it from rank 11.</source>
        <translation>1/(i + j − 1): Keine Zeile wiederholt eine andere, und doch kann float64 sie nicht von Rang 11 unterscheiden.</translation>
    </message>
    <message>
        <source>1/σ{} is the inverse of rounding: keep {} at most.</source>
        <translation>1/σ{} ist das Inverse von Rundung: höchstens {} behalten.</translation>
    </message>
    <message>
        <source>10 × 10 of rank 2</source>
        <translation>10 × 10 vom Rang 2</translation>
    </message>
    <message>
        <source>100 numbers that are a product of 10 × 2 and 2 × 10: 40 hold all of it.</source>
        <translation>100 Zahlen, das Produkt aus 10 × 2 und 2 × 10: 40 enthalten alles.</translation>
    </message>
    <message>
        <source>2 bytes, a small range; adapters stay in float32</source>
        <translation>2 Byte, kleiner Bereich; Adapter bleiben in float32</translation>
    </message>
    <message>
        <source>2 bytes, float32&apos;s range; adapters stay in float32</source>
        <translation>2 Byte, Bereich von float32; Adapter bleiben in float32</translation>
    </message>
    <message>
        <source>3 × 3 of rank 2</source>
        <translation>3 × 3 vom Rang 2</translation>
    </message>
    <message>
        <source>4 bytes per number; exact enough for everything</source>
        <translation>4 Byte je Zahl; genau genug für alles</translation>
    </message>
    <message>
        <source>8 bytes, for measuring</source>
        <translation>8 Byte, zum Messen</translation>
    </message>
    <message>
        <source>; at worst {:.1f} % of ‖ΔW‖ is lost, {}</source>
        <translation>; schlimmstenfalls gehen {:.1f} % von ‖ΔW‖ verloren, {}</translation>
    </message>
    <message>
        <source>; none reaches {:,}</source>
        <translation>; keine erreicht {:,}</translation>
    </message>
    <message>
        <source>; rank {} would have {:,}</source>
        <translation>; Rang {} hätte {:,}</translation>
    </message>
    <message>
        <source>; the adapter is off.</source>
        <translation>; der Adapter ist aus.</translation>
    </message>
    <message>
        <source>; validation loss {}</source>
        <translation>; Validierungs-Loss {}</translation>
    </message>
    <message>
        <source>; {:.0f} % needs r {}</source>
        <translation>; {:.0f} % brauchen r {}</translation>
    </message>
    <message>
        <source>; {} layers are in one of them only</source>
        <translation>; {} Schichten sind nur in einem davon</translation>
    </message>
    <message>
        <source>; {} snapshots from step {:,} on</source>
        <translation>; {} Momentaufnahmen ab Schritt {:,}</translation>
    </message>
    <message>
        <source>; {} steps were not finite</source>
        <translation>; {} Schritte waren nicht endlich</translation>
    </message>
    <message>
        <source>A</source>
        <translation>A</translation>
    </message>
    <message>
        <source>A = the directions in which the inputs vary most, B = 0. Paischer et al. 2024, arXiv 2410.07170</source>
        <translation>A = die Richtungen, in denen die Eingaben am stärksten schwanken, B = 0. Paischer et al. 2024, arXiv 2410.07170</translation>
    </message>
    <message>
        <source>A Hugging Face folder, .safetensors, .pt or .gguf</source>
        <translation>Ein Hugging-Face-Ordner, .safetensors, .pt oder .gguf</translation>
    </message>
    <message>
        <source>A change of known rank (made by the lab)</source>
        <translation>Eine Änderung von bekanntem Rang (vom Lab erzeugt)</translation>
    </message>
    <message>
        <source>A desktop lab for low-rank adaptation.
Apache License 2.0</source>
        <translation>Ein Desktop-Labor für Low-Rank-Adaptation.
Apache License 2.0</translation>
    </message>
    <message>
        <source>A file…</source>
        <translation>Eine Datei…</translation>
    </message>
    <message>
        <source>A folder…</source>
        <translation>Ein Ordner…</translation>
    </message>
    <message>
        <source>A hint, as of step {:,}: energy is not importance, so look at the loss. </source>
        <translation>Ein Hinweis, Stand Schritt {:,}: Energie ist nicht Bedeutung, also auf den Loss achten. </translation>
    </message>
    <message>
        <source>A mark for each run, once its loss is measured.</source>
        <translation>Ein Punkt je Lauf, sobald sein Loss gemessen ist.</translation>
    </message>
    <message>
        <source>A merge keeps ΔW in all of these dtypes.</source>
        <translation>Ein Merge behält ΔW in all diesen dtypes.</translation>
    </message>
    <message>
        <source>A merge would {}.</source>
        <translation>Ein Merge würde {}.</translation>
    </message>
    <message>
        <source>A new run that starts from an adapter file</source>
        <translation>Ein neuer Lauf, der mit einer Adapterdatei beginnt</translation>
    </message>
    <message>
        <source>A random subspace</source>
        <translation>Ein zufälliger Unterraum</translation>
    </message>
    <message>
        <source>A row per line; 1/3 and 2e-3 are numbers.</source>
        <translation>Eine Zeile je Matrixzeile; 1/3 und 2e-3 sind Zahlen.</translation>
    </message>
    <message>
        <source>A run in several processes trains without the window.</source>
        <translation>Ein Lauf in mehreren Prozessen trainiert ohne das Fenster.</translation>
    </message>
    <message>
        <source>A scanned 8: how many values until it is readable?</source>
        <translation>Eine gescannte 8: Wie viele Werte, bis sie lesbar ist?</translation>
    </message>
    <message>
        <source>A small net has never seen a 9. The adapter learns 9s alone: watch it gain them, and then forget the other digits.</source>
        <translation>Ein kleines Netz hat nie eine 9 gesehen. Der Adapter lernt nur Neunen: Er gewinnt sie, und dann vergisst er die anderen Ziffern.</translation>
    </message>
    <message>
        <source>A {}, B {}</source>
        <translation>A {}, B {}</translation>
    </message>
    <message>
        <source>A ~ N(0, 1), B = 0: the parametrization tutorial</source>
        <translation>A ~ N(0, 1), B = 0: das Tutorial zur Parametrisierung</translation>
    </message>
    <message>
        <source>A ~ N(0, 1/r²), B = 0: Hu et al. 2021, §4.1</source>
        <translation>A ~ N(0, 1/r²), B = 0: Hu et al. 2021, §4.1</translation>
    </message>
    <message>
        <source>A ~ U(±1/√in), B = 0: what loralib and PEFT do</source>
        <translation>A ~ U(±1/√in), B = 0: wie loralib und PEFT</translation>
    </message>
    <message>
        <source>A − A₀</source>
        <translation>A − A₀</translation>
    </message>
    <message>
        <source>A&amp;bort this run</source>
        <translation>Diesen Lauf a&amp;bbrechen</translation>
    </message>
    <message>
        <source>About LoRA Lab</source>
        <translation>Über LoRA Lab</translation>
    </message>
    <message>
        <source>Accumulate</source>
        <translation>Akkumulieren</translation>
    </message>
    <message>
        <source>Accuracy</source>
        <translation>Genauigkeit</translation>
    </message>
    <message>
        <source>Accuracy per class, adapter off and on</source>
        <translation>Genauigkeit je Klasse, Adapter aus und an</translation>
    </message>
    <message>
        <source>Accuracy {} off, {} on; most gained: {} {}, most lost: {} {}</source>
        <translation>Genauigkeit {} aus, {} an; am meisten gewonnen: {} {}, am meisten verloren: {} {}</translation>
    </message>
    <message>
        <source>Accuracy, off → on</source>
        <translation>Genauigkeit, aus → an</translation>
    </message>
    <message>
        <source>Across: the first i directions of one; up: the first j of the other. φ(i, j) is 1 (bright) where one subspace contains the other, 0 where they are orthogonal (LoRA §7.2).</source>
        <translation>Waagerecht: die ersten i Richtungen des einen; senkrecht: die ersten j des anderen. φ(i, j) ist 1 (hell), wo ein Unterraum den anderen enthält, und 0, wo sie orthogonal sind (LoRA §7.2).</translation>
    </message>
    <message>
        <source>Ada&amp;pter</source>
        <translation>Ada&amp;pter</translation>
    </message>
    <message>
        <source>Adam with decoupled weight decay. Loshchilov &amp; Hutter 2019</source>
        <translation>Adam mit entkoppeltem Weight Decay. Loshchilov &amp; Hutter 2019</translation>
    </message>
    <message>
        <source>Adapted</source>
        <translation>Adaptiert</translation>
    </message>
    <message>
        <source>Adapter</source>
        <translation>Adapter</translation>
    </message>
    <message>
        <source>Adapter file or folder that training continues from: its factors, ranks, α, targets and variant are taken as they are, and the optimizer starts afresh. Another rank or α is applied before the first step, as in mid-run.</source>
        <translation>Adapterdatei oder -ordner, von dem das Training ausgeht: Faktoren, Ränge, α, Ziele und Variante werden unverändert übernommen, und der Optimierer beginnt neu. Ein anderer Rang oder ein anderes α gilt ab dem ersten Schritt, wie mitten im Lauf.</translation>
    </message>
    <message>
        <source>Adapter off</source>
        <translation>Adapter aus</translation>
    </message>
    <message>
        <source>Adapter off: base model only</source>
        <translation>Adapter aus: nur Basismodell</translation>
    </message>
    <message>
        <source>Adapter on</source>
        <translation>Adapter an</translation>
    </message>
    <message>
        <source>Adapter parameters</source>
        <translation>Adapterparameter</translation>
    </message>
    <message>
        <source>Adapter to export, by its step</source>
        <translation>Zu exportierender Adapter, nach Schritt</translation>
    </message>
    <message>
        <source>Adapter variant.</source>
        <translation>Adaptervariante.</translation>
    </message>
    <message>
        <source>Adapter workshop</source>
        <translation>Adapter-Werkstatt</translation>
    </message>
    <message>
        <source>Adapter workshop…</source>
        <translation>Adapter-Werkstatt…</translation>
    </message>
    <message>
        <source>Adapter {}</source>
        <translation>Adapter {}</translation>
    </message>
    <message>
        <source>Adapters (*.safetensors *.gguf *.bin *.pt adapter_config.json)</source>
        <translation>Adapter (*.safetensors *.gguf *.bin *.pt adapter_config.json)</translation>
    </message>
    <message>
        <source>Adapters (*.safetensors *.gguf *.pt *.pth *.bin);;All files (*)</source>
        <translation>Adapter (*.safetensors *.gguf *.pt *.pth *.bin);;Alle Dateien (*)</translation>
    </message>
    <message>
        <source>Add &amp;current settings</source>
        <translation>A&amp;ktuelle Einstellungen hinzufügen</translation>
    </message>
    <message>
        <source>Add runs</source>
        <translation>Läufe hinzufügen</translation>
    </message>
    <message>
        <source>Add runs and compare them</source>
        <translation>Läufe hinzufügen und vergleichen</translation>
    </message>
    <message>
        <source>All &amp;linear</source>
        <translation>Alle &amp;linearen</translation>
    </message>
    <message>
        <source>All adapted weights, however many they are</source>
        <translation>Alle adaptierten Gewichte, so viele es auch sind</translation>
    </message>
    <message>
        <source>All adapted weights, up to 20,000,000 of them; above, the factors of LoRA (Uni-LoRA)</source>
        <translation>Alle adaptierten Gewichte, bis zu 20,000,000; darüber die Faktoren von LoRA (Uni-LoRA)</translation>
    </message>
    <message>
        <source>All classes</source>
        <translation>Alle Klassen</translation>
    </message>
    <message>
        <source>All four hold: X is the pseudo-inverse of W.</source>
        <translation>Alle vier gelten: X ist die Pseudoinverse von W.</translation>
    </message>
    <message>
        <source>All layers</source>
        <translation>Alle Schichten</translation>
    </message>
    <message>
        <source>All methods agree.</source>
        <translation>Alle Verfahren stimmen überein.</translation>
    </message>
    <message>
        <source>All other classes</source>
        <translation>Alle anderen Klassen</translation>
    </message>
    <message>
        <source>All runs; resume one that was interrupted</source>
        <translation>Alle Läufe; einen unterbrochenen fortsetzen</translation>
    </message>
    <message>
        <source>All {} runs are there.</source>
        <translation>Alle {} Läufe sind da.</translation>
    </message>
    <message>
        <source>Allocate rank per layer by energy</source>
        <translation>Rang je Schicht nach Energie verteilen</translation>
    </message>
    <message>
        <source>Alpha α</source>
        <translation>Alpha α</translation>
    </message>
    <message>
        <source>Alt and an underlined letter</source>
        <translation>Alt und ein unterstrichener Buchstabe</translation>
    </message>
    <message>
        <source>An intruder is a strong direction of W + ΔW that resembles none of W&apos;s own (|cos| below the threshold). Full fine-tuning makes few; where a low rank makes many, more of what the base model knew is forgotten (Shuttleworth et al. 2024).</source>
        <translation>Ein Intruder ist eine starke Richtung von W + ΔW, die keiner von W selbst ähnelt (|cos| unter der Schwelle). Volles Fine-Tuning erzeugt wenige; wo ein kleiner Rang viele erzeugt, wird mehr von dem vergessen, was das Basismodell konnte (Shuttleworth et al. 2024).</translation>
    </message>
    <message>
        <source>Angles</source>
        <translation>Winkel</translation>
    </message>
    <message>
        <source>Another base for the preset shown</source>
        <translation>Eine andere Basis für das gezeigte Preset</translation>
    </message>
    <message>
        <source>Another run was opened before this was exported.</source>
        <translation>Ein anderer Lauf wurde geöffnet, bevor dieser exportiert war.</translation>
    </message>
    <message>
        <source>Applied at step {:,}: {}</source>
        <translation>Angewandt bei Schritt {:,}: {}</translation>
    </message>
    <message>
        <source>Apply</source>
        <translation>Anwenden</translation>
    </message>
    <message>
        <source>Arrows, Page Up, Page Down</source>
        <translation>Pfeile, Bild auf, Bild ab</translation>
    </message>
    <message>
        <source>Asking the model…</source>
        <translation>Das Modell wird gefragt…</translation>
    </message>
    <message>
        <source>At equal examples, LoRA loses more by a large batch than full training does.</source>
        <translation>Bei gleich vielen Beispielen verliert LoRA durch einen großen Batch mehr als volles Training.</translation>
    </message>
    <message>
        <source>At the start of training the loss falls alike at every rank.</source>
        <translation>Zu Beginn des Trainings fällt der Verlust bei jedem Rang gleich.</translation>
    </message>
    <message>
        <source>At {:,} trained numbers each.</source>
        <translation>Je {:,} trainierte Zahlen.</translation>
    </message>
    <message>
        <source>At {} the validation loss rose from {:.3g} to {}. </source>
        <translation>Bei {} stieg der Validierungs-Loss von {:.3g} auf {}. </translation>
    </message>
    <message>
        <source>Auto</source>
        <translation>Auto</translation>
    </message>
    <message>
        <source>Auto: bars, or a heat map of many layers</source>
        <translation>Auto: Balken, oder bei vielen Schichten eine Heatmap</translation>
    </message>
    <message>
        <source>A·Aᵀ = I, B = 0: Saxe et al. 2014, arXiv 1312.6120</source>
        <translation>A·Aᵀ = I, B = 0: Saxe et al. 2014, arXiv 1312.6120</translation>
    </message>
    <message>
        <source>B and A are {} % of W’s numbers. Break-even is rank m·n/(m + n) = {}: </source>
        <translation>B und A haben {} % der Zahlen von W. Gleichstand ist bei Rang m·n/(m + n) = {}: </translation>
    </message>
    <message>
        <source>Back</source>
        <translation>Zurück</translation>
    </message>
    <message>
        <source>Bars</source>
        <translation>Balken</translation>
    </message>
    <message>
        <source>Base</source>
        <translation>Basis</translation>
    </message>
    <message>
        <source>Base &amp;in</source>
        <translation>Basis &amp;in</translation>
    </message>
    <message>
        <source>Base in</source>
        <translation>Basis in</translation>
    </message>
    <message>
        <source>Base model</source>
        <translation>Basismodell</translation>
    </message>
    <message>
        <source>Batching</source>
        <translation>Batching</translation>
    </message>
    <message>
        <source>Before / After</source>
        <translation>Vorher / Nachher</translation>
    </message>
    <message>
        <source>Begin again</source>
        <translation>Von vorn beginnen</translation>
    </message>
    <message>
        <source>Best</source>
        <translation>Bestwert</translation>
    </message>
    <message>
        <source>Best loss</source>
        <translation>Min. Loss</translation>
    </message>
    <message>
        <source>Best loss by parameters: {}</source>
        <translation>Bester Loss nach Parametern: {}</translation>
    </message>
    <message>
        <source>Best step {:,}</source>
        <translation>Bester Schritt {:,}</translation>
    </message>
    <message>
        <source>Best validation loss by parameters</source>
        <translation>Bester Validierungs-Loss nach Parametern</translation>
    </message>
    <message>
        <source>Best validation loss over adapter parameters</source>
        <translation>Bester Validierungs-Loss über den Adapterparametern</translation>
    </message>
    <message>
        <source>Bits of the base</source>
        <translation>Bits der Basis</translation>
    </message>
    <message>
        <source>Branch in float32</source>
        <translation>In float32 abzweigen</translation>
    </message>
    <message>
        <source>Brighter to the right and downwards: x + y has rank 2.</source>
        <translation>Nach rechts und nach unten heller: x + y hat Rang 2.</translation>
    </message>
    <message>
        <source>Browse</source>
        <translation>Durchsuchen</translation>
    </message>
    <message>
        <source>Building the model</source>
        <translation>Modell wird gebaut</translation>
    </message>
    <message>
        <source>Built-in data; nothing to configure. Use Open for a model and data of your own.</source>
        <translation>Eingebaute Daten; nichts einzustellen. Über „Öffnen“ kommen Modell und Daten von Ihnen.</translation>
    </message>
    <message>
        <source>By arithmetic: a step of full fine-tuning takes 3 multiplications for each weight, LoRA slightly more than 2.</source>
        <translation>Rechnerisch: Ein Schritt des vollen Fine-Tunings braucht 3 Multiplikationen je Gewicht, LoRA etwas mehr als 2.</translation>
    </message>
    <message>
        <source>By arithmetic: the weights, the optimizer state, and the activations or the gradients, whichever are more.</source>
        <translation>Rechnerisch: die Gewichte, der Zustand des Optimierers und die Aktivierungen oder die Gradienten, je nachdem, was mehr ist.</translation>
    </message>
    <message>
        <source>B·A starts as the first r of W = Q·R. Büyükakyüz 2024, arXiv 2406.01775</source>
        <translation>B·A beginnt als die ersten r von W = Q·R. Büyükakyüz 2024, arXiv 2406.01775</translation>
    </message>
    <message>
        <source>B·A starts as the r largest directions of W = U·S·Vᵀ. Meng et al. 2024, arXiv 2404.02948</source>
        <translation>B·A beginnt als die r größten Richtungen von W = U·S·Vᵀ. Meng et al. 2024, arXiv 2404.02948</translation>
    </message>
    <message>
        <source>C&amp;opy</source>
        <translation>K&amp;opieren</translation>
    </message>
    <message>
        <source>Cancel</source>
        <translation>Abbrechen</translation>
    </message>
    <message>
        <source>Cancel opening; the current run stays open</source>
        <translation>Öffnen abbrechen; der aktuelle Lauf bleibt offen</translation>
    </message>
    <message>
        <source>Cancelled.</source>
        <translation>Abgebrochen.</translation>
    </message>
    <message>
        <source>Cancelled. Choose a model.</source>
        <translation>Abgebrochen. Ein Modell wählen.</translation>
    </message>
    <message>
        <source>Cancelled. What has come is kept for the next time.</source>
        <translation>Abgebrochen. Was schon da ist, bleibt für das nächste Mal.</translation>
    </message>
    <message>
        <source>Cancelled: nothing was written; existing files are unchanged.</source>
        <translation>Abgebrochen: nichts wurde geschrieben; vorhandene Dateien sind unverändert.</translation>
    </message>
    <message>
        <source>Cancelled; nothing was changed.</source>
        <translation>Abgebrochen; nichts wurde geändert.</translation>
    </message>
    <message>
        <source>Cancelled; nothing was written.</source>
        <translation>Abgebrochen; nichts wurde geschrieben.</translation>
    </message>
    <message>
        <source>Cancelled; the previous result is still shown.</source>
        <translation>Abgebrochen; das vorige Ergebnis bleibt stehen.</translation>
    </message>
    <message>
        <source>Cancelling</source>
        <translation>Wird abgebrochen</translation>
    </message>
    <message>
        <source>Causal language modelling</source>
        <translation>Kausale Sprachmodellierung</translation>
    </message>
    <message>
        <source>Checkpoint of step {:,}</source>
        <translation>Checkpoint von Schritt {:,}</translation>
    </message>
    <message>
        <source>Checkpoints</source>
        <translation>Checkpoints</translation>
    </message>
    <message>
        <source>Checkpoints (*.safetensors *.pt *.pth *.bin);;All files (*)</source>
        <translation>Checkpoints (*.safetensors *.pt *.pth *.bin);;Alle Dateien (*)</translation>
    </message>
    <message>
        <source>Checkpoints of this run: revert to one, or start a branch from it</source>
        <translation>Checkpoints dieses Laufs: zu einem zurückgehen oder davon abzweigen</translation>
    </message>
    <message>
        <source>Choose a column for {}</source>
        <translation>Eine Spalte für {} wählen</translation>
    </message>
    <message>
        <source>Choose a folder…</source>
        <translation>Ordner wählen…</translation>
    </message>
    <message>
        <source>Choose a model: its contents are shown, and nothing in it is executed. Then choose the training data. An adapter alone opens in the workshop.</source>
        <translation>Ein Modell wählen: Sein Inhalt wird gezeigt, und nichts daraus wird ausgeführt. Dann die Trainingsdaten wählen. Ein Adapter allein öffnet sich in der Werkstatt.</translation>
    </message>
    <message>
        <source>Choose an adapter: all common formats are read.</source>
        <translation>Einen Adapter wählen: alle üblichen Formate werden gelesen.</translation>
    </message>
    <message>
        <source>Choose another place.</source>
        <translation>Einen anderen Ort wählen.</translation>
    </message>
    <message>
        <source>Choose the layers that are adapted</source>
        <translation>Die Schichten wählen, die adaptiert werden</translation>
    </message>
    <message>
        <source>Choose {}</source>
        <translation>{} wählen</translation>
    </message>
    <message>
        <source>Chosen</source>
        <translation>Bevorzugt</translation>
    </message>
    <message>
        <source>Claims</source>
        <translation>Behauptungen</translation>
    </message>
    <message>
        <source>Class of the images</source>
        <translation>Klasse der Bilder</translation>
    </message>
    <message>
        <source>Clear f&amp;inished</source>
        <translation>Fer&amp;tige entfernen</translation>
    </message>
    <message>
        <source>Click, or press F1 on the control, for the page with the formula.</source>
        <translation>Klicken oder F1 auf dem Regler drücken: Seite mit der Formel.</translation>
    </message>
    <message>
        <source>Clip</source>
        <translation>Begrenzen</translation>
    </message>
    <message>
        <source>Clip gradients at {:g}</source>
        <translation>Gradienten auf {:g} begrenzen</translation>
    </message>
    <message>
        <source>Clip σ of {}</source>
        <translation>σ von {} begrenzen</translation>
    </message>
    <message>
        <source>Clip σ of {} ({})?</source>
        <translation>σ von {} begrenzen ({})?</translation>
    </message>
    <message>
        <source>Clip…</source>
        <translation>Begrenzen…</translation>
    </message>
    <message>
        <source>Close</source>
        <translation>Schließen</translation>
    </message>
    <message>
        <source>Close &amp;without saving</source>
        <translation>&amp;Ohne Speichern schließen</translation>
    </message>
    <message>
        <source>Close a dialog or a list, dismiss a notice</source>
        <translation>Dialog oder Liste schließen, Meldung verwerfen</translation>
    </message>
    <message>
        <source>Closed</source>
        <translation>Geschlossen</translation>
    </message>
    <message>
        <source>Co&amp;unt</source>
        <translation>&amp;Zählen</translation>
    </message>
    <message>
        <source>Co&amp;unt again</source>
        <translation>Erneut &amp;zählen</translation>
    </message>
    <message>
        <source>Column of {}</source>
        <translation>Spalte für {}</translation>
    </message>
    <message>
        <source>Combinations left out</source>
        <translation>Ausgelassene Kombinationen</translation>
    </message>
    <message>
        <source>Compare settings</source>
        <translation>Einstellungen vergleichen</translation>
    </message>
    <message>
        <source>Comparing</source>
        <translation>Wird verglichen</translation>
    </message>
    <message>
        <source>Comparing layers</source>
        <translation>Schichten werden verglichen</translation>
    </message>
    <message>
        <source>Comparing…</source>
        <translation>Wird verglichen…</translation>
    </message>
    <message>
        <source>Complex to look at, but of rank 2: cos(x² + y²).</source>
        <translation>Sieht komplex aus, hat aber Rang 2: cos(x² + y²).</translation>
    </message>
    <message>
        <source>Component of a diffusion pipeline</source>
        <translation>Komponente einer Diffusions-Pipeline</translation>
    </message>
    <message>
        <source>Computing singular values</source>
        <translation>Singulärwerte werden berechnet</translation>
    </message>
    <message>
        <source>Computing the rank</source>
        <translation>Rang wird berechnet</translation>
    </message>
    <message>
        <source>Computing…</source>
        <translation>Wird berechnet…</translation>
    </message>
    <message>
        <source>Config, tokenizer and weights are downloaded into the Hugging Face cache.</source>
        <translation>Config, Tokenizer und Gewichte werden in den Hugging-Face-Cache geladen.</translation>
    </message>
    <message>
        <source>Confusion: true class by predicted class</source>
        <translation>Verwechslungen: wahre Klasse gegen vorhergesagte</translation>
    </message>
    <message>
        <source>Contents</source>
        <translation>Inhalt</translation>
    </message>
    <message>
        <source>Continue</source>
        <translation>Fortsetzen</translation>
    </message>
    <message>
        <source>Continue the prompt with the adapter off and on</source>
        <translation>Den Prompt mit Adapter aus und an fortsetzen</translation>
    </message>
    <message>
        <source>Continue training</source>
        <translation>Training fortsetzen</translation>
    </message>
    <message>
        <source>Continue training from an adapter</source>
        <translation>Training von einem Adapter fortsetzen</translation>
    </message>
    <message>
        <source>Continue training from…</source>
        <translation>Training fortsetzen von…</translation>
    </message>
    <message>
        <source>Continue training…</source>
        <translation>Training fortsetzen…</translation>
    </message>
    <message>
        <source>Copied {:,} rows of {}.</source>
        <translation>{:,} Zeilen von {} kopiert.</translation>
    </message>
    <message>
        <source>Copied {} as a picture.</source>
        <translation>{} als Bild kopiert.</translation>
    </message>
    <message>
        <source>Copy</source>
        <translation>Kopieren</translation>
    </message>
    <message>
        <source>Copy &amp;name</source>
        <translation>&amp;Namen kopieren</translation>
    </message>
    <message>
        <source>Copy numbers</source>
        <translation>Zahlen kopieren</translation>
    </message>
    <message>
        <source>Copy or save this plot and its numbers</source>
        <translation>Diesen Plot und seine Zahlen kopieren oder speichern</translation>
    </message>
    <message>
        <source>Copy or save {}</source>
        <translation>{} kopieren oder speichern</translation>
    </message>
    <message>
        <source>Copy picture</source>
        <translation>Bild kopieren</translation>
    </message>
    <message>
        <source>Copy plot</source>
        <translation>Plot kopieren</translation>
    </message>
    <message>
        <source>Cosine</source>
        <translation>Kosinus</translation>
    </message>
    <message>
        <source>Cosine decay to zero after warm-up</source>
        <translation>Kosinusförmig auf null nach dem Warm-up</translation>
    </message>
    <message>
        <source>Cosine threshold</source>
        <translation>Kosinus-Schwelle</translation>
    </message>
    <message>
        <source>Cost of the run</source>
        <translation>Kosten des Laufs</translation>
    </message>
    <message>
        <source>Cut after {} of {}</source>
        <translation>Schnitt nach {} von {}</translation>
    </message>
    <message>
        <source>D&amp;ata</source>
        <translation>&amp;Daten</translation>
    </message>
    <message>
        <source>DPO β</source>
        <translation>DPO β</translation>
    </message>
    <message>
        <source>Dark</source>
        <translation>Dunkel</translation>
    </message>
    <message>
        <source>Data</source>
        <translation>Daten</translation>
    </message>
    <message>
        <source>Data (*.jsonl *.json *.csv *.tsv *.parquet *.txt);;All files (*)</source>
        <translation>Daten (*.jsonl *.json *.csv *.tsv *.parquet *.txt);;Alle Dateien (*)</translation>
    </message>
    <message>
        <source>Data folder</source>
        <translation>Datenordner</translation>
    </message>
    <message>
        <source>De&amp;vice</source>
        <translation>&amp;Gerät</translation>
    </message>
    <message>
        <source>Decompose a matrix: rank, truncation, pseudo-inverse</source>
        <translation>Eine Matrix zerlegen: Rang, Kürzung, Pseudoinverse</translation>
    </message>
    <message>
        <source>Decomposing the matrix</source>
        <translation>Matrix wird zerlegt</translation>
    </message>
    <message>
        <source>Decoupled decay of A and B per step, times their learning rate; it pulls B·A towards 0. Biases that are trained do not decay.</source>
        <translation>Entkoppelter Zerfall von A und B je Schritt, mal deren Lernrate; er zieht B·A gegen 0. Mittrainierte Biases zerfallen nicht.</translation>
    </message>
    <message>
        <source>Describe plots (text)…</source>
        <translation>Plots beschreiben (Text)…</translation>
    </message>
    <message>
        <source>Details</source>
        <translation>Details</translation>
    </message>
    <message>
        <source>Details of the notice</source>
        <translation>Details der Meldung</translation>
    </message>
    <message>
        <source>Dev&amp;ice</source>
        <translation>&amp;Gerät</translation>
    </message>
    <message>
        <source>Device</source>
        <translation>Gerät</translation>
    </message>
    <message>
        <source>Differences between the selected runs</source>
        <translation>Unterschiede zwischen den gewählten Läufen</translation>
    </message>
    <message>
        <source>Digit 8 × 8</source>
        <translation>Ziffer 8 × 8</translation>
    </message>
    <message>
        <source>Digits: learn the 9</source>
        <translation>Ziffern: die 9 lernen</translation>
    </message>
    <message>
        <source>Directions of</source>
        <translation>Richtungen von</translation>
    </message>
    <message>
        <source>Disc 256 × 256</source>
        <translation>Scheibe 256 × 256</translation>
    </message>
    <message>
        <source>Dismiss</source>
        <translation>Verwerfen</translation>
    </message>
    <message>
        <source>Do&amp;wn</source>
        <translation>Nach &amp;unten</translation>
    </message>
    <message>
        <source>DoRA</source>
        <translation>DoRA</translation>
    </message>
    <message>
        <source>Don’t</source>
        <translation>Nicht ausführen</translation>
    </message>
    <message>
        <source>Download</source>
        <translation>Herunterladen</translation>
    </message>
    <message>
        <source>Downloaded to {}</source>
        <translation>Heruntergeladen nach {}</translation>
    </message>
    <message>
        <source>Drawing (*.svg)</source>
        <translation>Zeichnung (*.svg)</translation>
    </message>
    <message>
        <source>Drop it here</source>
        <translation>Hier ablegen</translation>
    </message>
    <message>
        <source>Dropout</source>
        <translation>Dropout</translation>
    </message>
    <message>
        <source>E&amp;xtract</source>
        <translation>E&amp;xtrahieren</translation>
    </message>
    <message>
        <source>Each at the rate of the least training loss.</source>
        <translation>Jeder mit der Rate des kleinsten Trainingsverlusts.</translation>
    </message>
    <message>
        <source>Each class counts alike: a row of class c counts n/(k·n_c)</source>
        <translation>Jede Klasse zählt gleich: eine Zeile der Klasse c zählt n/(k·n_c)</translation>
    </message>
    <message>
        <source>Each layer takes a moment between two steps.</source>
        <translation>Jede Schicht braucht einen Moment zwischen zwei Schritten.</translation>
    </message>
    <message>
        <source>Each number moves each weight, by a normal P with unit columns. Li et al. 2018. It is held whole, so for few weights and numbers</source>
        <translation>Jede Zahl bewegt jedes Gewicht, durch ein normalverteiltes P mit Einheitsspalten. Li et al. 2018. Es wird ganz gehalten, also für wenige Gewichte und Zahlen</translation>
    </message>
    <message>
        <source>Each row counts alike</source>
        <translation>Jede Zeile zählt gleich</translation>
    </message>
    <message>
        <source>Each step is orthogonal: all directions of A and of B move alike. Jordan 2024. What is no matrix is moved by AdamW</source>
        <translation>Jeder Schritt ist orthogonal: alle Richtungen von A und von B bewegen sich gleich weit. Jordan 2024. Was keine Matrix ist, bewegt AdamW</translation>
    </message>
    <message>
        <source>Each ticked layer gets an adapter.</source>
        <translation>Jede angekreuzte Schicht bekommt einen Adapter.</translation>
    </message>
    <message>
        <source>Each weight belongs to one number, with a sign: three operations a weight, and d is a slider. As Uni-LoRA, 2025</source>
        <translation>Jedes Gewicht gehört zu einer Zahl, mit Vorzeichen: drei Operationen je Gewicht, und d ist ein Regler. Wie Uni-LoRA, 2025</translation>
    </message>
    <message>
        <source>Early stopping: validations without a better loss that end the run; 0: never.</source>
        <translation>Early Stopping: so viele Validierungen ohne besseren Loss beenden den Lauf; 0: nie.</translation>
    </message>
    <message>
        <source>Eckart–Young tail at r={}</source>
        <translation>Eckart–Young-Rest bei r={}</translation>
    </message>
    <message>
        <source>Eckart–Young tail at r={} is 0</source>
        <translation>Eckart–Young-Rest bei r={} ist 0</translation>
    </message>
    <message>
        <source>Eff. r</source>
        <translation>Eff. r</translation>
    </message>
    <message>
        <source>Effective rank</source>
        <translation>Effektiver Rang</translation>
    </message>
    <message>
        <source>Effective rank, exp of the entropy of σ / Σσ; its colour: the share of the layer&apos;s rank that is in use</source>
        <translation>Effektiver Rang, exp der Entropie von σ / Σσ; seine Farbe: der genutzte Anteil des Rangs der Schicht</translation>
    </message>
    <message>
        <source>Elimination fails here: it counts a pivot as rounding, and gets {} rows.</source>
        <translation>Die Elimination versagt hier: Sie hält Rundung für ein Pivot und erhält {} Zeilen.</translation>
    </message>
    <message>
        <source>Elimination fails here: it counts {} as a pivot, which is only rounding.</source>
        <translation>Die Elimination versagt hier: Sie hält {} für ein Pivot, das nur Rundung ist.</translation>
    </message>
    <message>
        <source>Elimination fails here: no pivot is below {}, yet σ{} is {}. A change of that size makes the rank {}; only σ shows it.</source>
        <translation>Die Elimination versagt hier: Kein Pivot liegt unter {}, und doch ist σ{} = {}. Eine Änderung dieser Größe macht den Rang zu {}; nur σ zeigt es.</translation>
    </message>
    <message>
        <source>End the run at this step and save its adapter</source>
        <translation>Den Lauf bei diesem Schritt beenden und seinen Adapter speichern</translation>
    </message>
    <message>
        <source>Ends the run at this step and saves it; the next one starts</source>
        <translation>Beendet den Lauf bei diesem Schritt und speichert ihn; der nächste beginnt</translation>
    </message>
    <message>
        <source>Energy</source>
        <translation>Energie</translation>
    </message>
    <message>
        <source>Energy (Σσ²) kept in %, all layers; dashed: the selected one. Drag the line.</source>
        <translation>Behaltene Energie (Σσ²) in %, alle Schichten; gestrichelt: die gewählte. Die Linie lässt sich ziehen.</translation>
    </message>
    <message>
        <source>Energy (Σσ²) of ΔW by the rank kept</source>
        <translation>Energie (Σσ²) von ΔW nach behaltenem Rang</translation>
    </message>
    <message>
        <source>Energy kept</source>
        <translation>Behaltene Energie</translation>
    </message>
    <message>
        <source>Energy kept against rank</source>
        <translation>Behaltene Energie gegen Rang</translation>
    </message>
    <message>
        <source>Enter</source>
        <translation>Eingabe</translation>
    </message>
    <message>
        <source>Error: {}</source>
        <translation>Fehler: {}</translation>
    </message>
    <message>
        <source>Esc</source>
        <translation>Esc</translation>
    </message>
    <message>
        <source>Eval steps</source>
        <translation>Eval-Schritte</translation>
    </message>
    <message>
        <source>Evaluate now</source>
        <translation>Jetzt auswerten</translation>
    </message>
    <message>
        <source>Every pivot is 1, and yet 2⁻⁵⁸ taken from one corner makes it singular.</source>
        <translation>Jedes Pivot ist 1, und doch macht 2⁻⁵⁸ in einer Ecke sie singulär.</translation>
    </message>
    <message>
        <source>Every visible plot as text</source>
        <translation>Jeden sichtbaren Plot als Text</translation>
    </message>
    <message>
        <source>Everywhere</source>
        <translation>Überall</translation>
    </message>
    <message>
        <source>Examples per step.</source>
        <translation>Beispiele je Schritt.</translation>
    </message>
    <message>
        <source>Expected</source>
        <translation>Erwartet</translation>
    </message>
    <message>
        <source>Export HTML report…</source>
        <translation>HTML-Bericht exportieren…</translation>
    </message>
    <message>
        <source>Export PEFT script…</source>
        <translation>PEFT-Skript exportieren…</translation>
    </message>
    <message>
        <source>Export adapter</source>
        <translation>Adapter exportieren</translation>
    </message>
    <message>
        <source>Export the adapter, which keeps ΔW exactly, or merge in {}.</source>
        <translation>Den Adapter exportieren, der ΔW genau behält, oder in {} zusammenführen.</translation>
    </message>
    <message>
        <source>Export the adapter, which keeps ΔW exactly.</source>
        <translation>Den Adapter exportieren, der ΔW genau behält.</translation>
    </message>
    <message>
        <source>Exported to {}</source>
        <translation>Exportiert nach {}</translation>
    </message>
    <message>
        <source>Export…</source>
        <translation>Exportieren…</translation>
    </message>
    <message>
        <source>F2 or a double click writes one</source>
        <translation>F2 oder Doppelklick schreibt eine</translation>
    </message>
    <message>
        <source>F2 renames it; a branch is listed below its parent</source>
        <translation>F2 benennt um; ein Zweig steht unter seinem Ursprung</translation>
    </message>
    <message>
        <source>Failed</source>
        <translation>Fehlgeschlagen</translation>
    </message>
    <message>
        <source>Fi&amp;le…</source>
        <translation>Da&amp;tei…</translation>
    </message>
    <message>
        <source>File</source>
        <translation>Datei</translation>
    </message>
    <message>
        <source>File of the model</source>
        <translation>Datei des Modells</translation>
    </message>
    <message>
        <source>Filter</source>
        <translation>Filter</translation>
    </message>
    <message>
        <source>Filter the runs</source>
        <translation>Läufe filtern</translation>
    </message>
    <message>
        <source>Final rank</source>
        <translation>End-Rang</translation>
    </message>
    <message>
        <source>Final α</source>
        <translation>End-α</translation>
    </message>
    <message>
        <source>Find in all pages</source>
        <translation>In allen Seiten suchen</translation>
    </message>
    <message>
        <source>Find learning rate</source>
        <translation>Lernrate finden</translation>
    </message>
    <message>
        <source>Find learning rate…</source>
        <translation>Lernrate finden…</translation>
    </message>
    <message>
        <source>Find…</source>
        <translation>Finden…</translation>
    </message>
    <message>
        <source>Finished · ready to export</source>
        <translation>Fertig · bereit zum Export</translation>
    </message>
    <message>
        <source>First adapter</source>
        <translation>Erster Adapter</translation>
    </message>
    <message>
        <source>First one epoch of full training of a 784-1000-2000-10 net, then 100 steps of a rank-1 adapter with 6,794 parameters (0.242 %) on the 9s alone.</source>
        <translation>Zuerst eine Epoche volles Training eines Netzes 784-1000-2000-10, dann 100 Schritte eines Rang-1-Adapters mit 6,794 Parametern (0.242 %) nur auf den Neunen.</translation>
    </message>
    <message>
        <source>Floats of a folder in the dtype; a .gguf as it lies there</source>
        <translation>Gleitkommazahlen eines Ordners im dtype; eine .gguf, wie sie daliegt</translation>
    </message>
    <message>
        <source>Folder of the exported adapter</source>
        <translation>Ordner des exportierten Adapters</translation>
    </message>
    <message>
        <source>Folder of the images</source>
        <translation>Ordner der Bilder</translation>
    </message>
    <message>
        <source>Folder of the model</source>
        <translation>Ordner des Modells</translation>
    </message>
    <message>
        <source>Follow</source>
        <translation>Folgen</translation>
    </message>
    <message>
        <source>Follow system</source>
        <translation>Wie das System</translation>
    </message>
    <message>
        <source>Follow the data of {}</source>
        <translation>Den Daten von {} folgen</translation>
    </message>
    <message>
        <source>Format</source>
        <translation>Format</translation>
    </message>
    <message>
        <source>Forward</source>
        <translation>Vorwärts</translation>
    </message>
    <message>
        <source>Frobenius norm of ΔW</source>
        <translation>Frobenius-Norm von ΔW</translation>
    </message>
    <message>
        <source>Frobenius norm: the root of Σσᵢ² over what is cut</source>
        <translation>Frobenius-Norm: die Wurzel aus Σσᵢ² über das Abgeschnittene</translation>
    </message>
    <message>
        <source>From &amp;old runs…</source>
        <translation>Aus &amp;alten Läufen…</translation>
    </message>
    <message>
        <source>From ΔW&apos;s energy, with its loss</source>
        <translation>Aus der Energie von ΔW, mit deren Loss</translation>
    </message>
    <message>
        <source>Frozen base</source>
        <translation>Eingefrorene Basis</translation>
    </message>
    <message>
        <source>Frozen base parameters</source>
        <translation>Parameter der eingefrorenen Basis</translation>
    </message>
    <message>
        <source>Full</source>
        <translation>Voll</translation>
    </message>
    <message>
        <source>Full fine-tuning</source>
        <translation>Volles Fine-Tuning</translation>
    </message>
    <message>
        <source>Full fine-tuning of the same base model</source>
        <translation>Volles Fine-Tuning desselben Basismodells</translation>
    </message>
    <message>
        <source>Full fine-tuning parameters</source>
        <translation>Parameter des vollen Fine-Tunings</translation>
    </message>
    <message>
        <source>Full screen</source>
        <translation>Vollbild</translation>
    </message>
    <message>
        <source>Generate</source>
        <translation>Generieren</translation>
    </message>
    <message>
        <source>Generate from the same prompt again at each validation</source>
        <translation>Bei jeder Validierung mit demselben Prompt neu generieren</translation>
    </message>
    <message>
        <source>Generated text, adapter off and on</source>
        <translation>Generierter Text, Adapter aus und an</translation>
    </message>
    <message>
        <source>Generating…</source>
        <translation>Wird generiert…</translation>
    </message>
    <message>
        <source>Generation</source>
        <translation>Generierung</translation>
    </message>
    <message>
        <source>Go to that field, or press that button</source>
        <translation>Zu diesem Feld gehen oder diesen Knopf drücken</translation>
    </message>
    <message>
        <source>Gradient 256 × 256</source>
        <translation>Verlauf 256 × 256</translation>
    </message>
    <message>
        <source>Gradient accumulation: parts that a step&apos;s examples are computed in. Less memory, the same step. Short texts take fewer parts, as long as none is larger than the largest.</source>
        <translation>Gradientenakkumulation: Teile, in denen die Beispiele eines Schritts berechnet werden. Weniger Speicher, derselbe Schritt. Kurze Texte brauchen weniger Teile, solange keiner größer ist als der größte.</translation>
    </message>
    <message>
        <source>Gradients are clipped to a norm of {:g} from now on. Space resumes.</source>
        <translation>Gradienten werden ab jetzt auf die Norm {:g} begrenzt. Leertaste setzt fort.</translation>
    </message>
    <message>
        <source>Group by type</source>
        <translation>Nach Typ gruppieren</translation>
    </message>
    <message>
        <source>Handbook</source>
        <translation>Handbuch</translation>
    </message>
    <message>
        <source>Heat map</source>
        <translation>Heatmap</translation>
    </message>
    <message>
        <source>Hilbert 12 × 12</source>
        <translation>Hilbert 12 × 12</translation>
    </message>
    <message>
        <source>Hint</source>
        <translation>Hinweis</translation>
    </message>
    <message>
        <source>Hints of the singular values, each with the loss at a clip</source>
        <translation>Hinweise aus den Singulärwerten, je mit dem Loss bei einer Begrenzung</translation>
    </message>
    <message>
        <source>Hints on the health of the spectra</source>
        <translation>Hinweise zur Gesundheit der Spektren</translation>
    </message>
    <message>
        <source>Hints, as of step {:,}: a direction may matter however it looks, so look at the loss.</source>
        <translation>Hinweise, Stand Schritt {:,}: Eine Richtung kann zählen, wie immer sie aussieht, also auf den Loss achten.</translation>
    </message>
    <message>
        <source>How lora_A and lora_B start.</source>
        <translation>Wie lora_A und lora_B beginnen.</translation>
    </message>
    <message>
        <source>How many directions ΔW = (α/r)·B·A may use. It can change during training: increasing it keeps ΔW exactly, decreasing it keeps the largest singular values.</source>
        <translation>Wie viele Richtungen ΔW = (α/r)·B·A nutzen darf. Im Training änderbar: Erhöhen behält ΔW genau, Verringern behält die größten Singulärwerte.</translation>
    </message>
    <message>
        <source>How many numbers θ a random subspace trains, each moving its share of all weights. Doubling d keeps ΔW exactly; halving it keeps what comes nearest.</source>
        <translation>Wie viele Zahlen θ ein zufälliger Unterraum trainiert; jede bewegt ihren Teil aller Gewichte. Verdoppeln von d behält ΔW genau; Halbieren behält das Nächstliegende.</translation>
    </message>
    <message>
        <source>How the d numbers of a random subspace move all weights.</source>
        <translation>Wie die d Zahlen eines zufälligen Unterraums alle Gewichte bewegen.</translation>
    </message>
    <message>
        <source>How the frozen matrices of the base are held: 4 or 8 bits need a quarter or half of the memory of 16; heads and embeddings stay as they are.</source>
        <translation>Wie die eingefrorenen Matrizen der Basis gehalten werden: 4 oder 8 Bit brauchen ein Viertel oder die Hälfte des Speichers von 16; Köpfe und Einbettungen bleiben, wie sie sind.</translation>
    </message>
    <message>
        <source>How the singular values are shown</source>
        <translation>Wie die Singulärwerte gezeigt werden</translation>
    </message>
    <message>
        <source>How the window keeps up is written to {}</source>
        <translation>Wie flüssig das Fenster ist, wird nach {} geschrieben</translation>
    </message>
    <message>
        <source>Hugging Face cache</source>
        <translation>Hugging-Face-Cache</translation>
    </message>
    <message>
        <source>Hugging Face folder or checkpoint</source>
        <translation>Hugging-Face-Ordner oder Checkpoint</translation>
    </message>
    <message>
        <source>Hyperparameters</source>
        <translation>Hyperparameter</translation>
    </message>
    <message>
        <source>I&amp;nit</source>
        <translation>In&amp;it</translation>
    </message>
    <message>
        <source>Image classification</source>
        <translation>Bildklassifikation</translation>
    </message>
    <message>
        <source>Images of the data</source>
        <translation>Bilder der Daten</translation>
    </message>
    <message>
        <source>In float32 elimination fails: it counts rounding as a pivot.</source>
        <translation>In float32 versagt die Elimination: Sie hält Rundung für ein Pivot.</translation>
    </message>
    <message>
        <source>In float32 the smallest σ are lost to rounding.</source>
        <translation>In float32 gehen die kleinsten σ in der Rundung verloren.</translation>
    </message>
    <message>
        <source>In {} of {} rows random &lt; ΔW &lt; W.</source>
        <translation>In {} von {} Zeilen gilt Zufall &lt; ΔW &lt; W.</translation>
    </message>
    <message>
        <source>Init</source>
        <translation>Init</translation>
    </message>
    <message>
        <source>Inspect adapter</source>
        <translation>Adapter inspizieren</translation>
    </message>
    <message>
        <source>Inspect, resize, convert, merge, compare</source>
        <translation>Inspizieren, kürzen, konvertieren, zusammenführen, vergleichen</translation>
    </message>
    <message>
        <source>Inspecting</source>
        <translation>Wird inspiziert</translation>
    </message>
    <message>
        <source>Inspecting {}…</source>
        <translation>{} wird inspiziert…</translation>
    </message>
    <message>
        <source>Inspection progress</source>
        <translation>Fortschritt der Inspektion</translation>
    </message>
    <message>
        <source>Intruder dimensions</source>
        <translation>Intruder-Dimensionen</translation>
    </message>
    <message>
        <source>Intruder dimensions…</source>
        <translation>Intruder-Dimensionen…</translation>
    </message>
    <message>
        <source>Intruders</source>
        <translation>Intruder</translation>
    </message>
    <message>
        <source>Intruders of each layer</source>
        <translation>Intruder jeder Schicht</translation>
    </message>
    <message>
        <source>It failed; the main window shows the reason.</source>
        <translation>Fehlgeschlagen; das Hauptfenster zeigt den Grund.</translation>
    </message>
    <message>
        <source>It finished before it could be cancelled. {}</source>
        <translation>Es war fertig, bevor es abgebrochen werden konnte. {}</translation>
    </message>
    <message>
        <source>It loads the file before it is delivered, and its own ΔW is compared.</source>
        <translation>Sie lädt die Datei vor der Auslieferung, und ihr eigenes ΔW wird verglichen.</translation>
    </message>
    <message>
        <source>Its own s</source>
        <translation>Eigenes s</translation>
    </message>
    <message>
        <source>Keep</source>
        <translation>Behalten</translation>
    </message>
    <message>
        <source>Keep the current targets</source>
        <translation>Aktuelle Ziele behalten</translation>
    </message>
    <message>
        <source>Keep training</source>
        <translation>Weiter trainieren</translation>
    </message>
    <message>
        <source>Keyboard shortcuts</source>
        <translation>Tastenkürzel</translation>
    </message>
    <message>
        <source>Known rank: a change of rank 4</source>
        <translation>Bekannter Rang: eine Änderung vom Rang 4</translation>
    </message>
    <message>
        <source>LR schedule: the learning rate over the steps.</source>
        <translation>LR-Verlauf: die Lernrate über die Schritte.</translation>
    </message>
    <message>
        <source>Label smoothing (Szegedy et al. 2016, arXiv 1512.00567): share of each label that is spread over all classes or tokens alike. The validation loss is the plain one.</source>
        <translation>Label Smoothing (Szegedy et al. 2016, arXiv 1512.00567): Anteil jedes Labels, der auf alle Klassen oder Token gleich verteilt wird. Der Validierungs-Loss ist der unveränderte.</translation>
    </message>
    <message>
        <source>Language</source>
        <translation>Sprache</translation>
    </message>
    <message>
        <source>Large batches hurt LoRA more</source>
        <translation>Große Batches schaden LoRA mehr</translation>
    </message>
    <message>
        <source>Largest relative error of ΔW</source>
        <translation>Größter relativer Fehler von ΔW</translation>
    </message>
    <message>
        <source>Layer</source>
        <translation>Schicht</translation>
    </message>
    <message>
        <source>Layer whose singular values are shown</source>
        <translation>Schicht, deren Singulärwerte gezeigt werden</translation>
    </message>
    <message>
        <source>Layers</source>
        <translation>Schichten</translation>
    </message>
    <message>
        <source>Layers of both</source>
        <translation>Schichten beider</translation>
    </message>
    <message>
        <source>Layers of the adapter</source>
        <translation>Schichten des Adapters</translation>
    </message>
    <message>
        <source>Layers that can be adapted</source>
        <translation>Schichten, die adaptiert werden können</translation>
    </message>
    <message>
        <source>Learned and forgotten</source>
        <translation>Gelernt und vergessen</translation>
    </message>
    <message>
        <source>Learning ra&amp;te</source>
        <translation>Ler&amp;nrate</translation>
    </message>
    <message>
        <source>Learning rate</source>
        <translation>Lernrate</translation>
    </message>
    <message>
        <source>Learning rates</source>
        <translation>Lernraten</translation>
    </message>
    <message>
        <source>Light</source>
        <translation>Hell</translation>
    </message>
    <message>
        <source>Linear decay to zero after warm-up</source>
        <translation>Linear auf null nach dem Warm-up</translation>
    </message>
    <message>
        <source>LoRA</source>
        <translation>LoRA</translation>
    </message>
    <message>
        <source>LoRA on the MLP layers alone is at least as good as on attention alone, at equal count.</source>
        <translation>LoRA nur auf den MLP-Schichten ist bei gleicher Anzahl mindestens so gut wie nur auf der Attention.</translation>
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
        <translation>In der Form von LoRA</translation>
    </message>
    <message>
        <source>Load a matrix</source>
        <translation>Matrix laden</translation>
    </message>
    <message>
        <source>Loading the engine…</source>
        <translation>Engine wird geladen…</translation>
    </message>
    <message>
        <source>Loading…</source>
        <translation>Wird geladen…</translation>
    </message>
    <message>
        <source>Logarithmic axis</source>
        <translation>Logarithmische Achse</translation>
    </message>
    <message>
        <source>Logarithmic loss axis</source>
        <translation>Logarithmische Loss-Achse</translation>
    </message>
    <message>
        <source>Looking…</source>
        <translation>Wird gesucht…</translation>
    </message>
    <message>
        <source>Loss</source>
        <translation>Loss</translation>
    </message>
    <message>
        <source>Loss of each layer</source>
        <translation>Verlust jeder Schicht</translation>
    </message>
    <message>
        <source>Loss over learning rate</source>
        <translation>Loss über der Lernrate</translation>
    </message>
    <message>
        <source>Loss over steps</source>
        <translation>Loss über den Schritten</translation>
    </message>
    <message>
        <source>Loss ratio (off/on)</source>
        <translation>Loss-Verhältnis (aus/an)</translation>
    </message>
    <message>
        <source>Loss {} at step {:,}, falling</source>
        <translation>Loss {} bei Schritt {:,}, fallend</translation>
    </message>
    <message>
        <source>Loss {} at step {:,}, rising</source>
        <translation>Loss {} bei Schritt {:,}, steigend</translation>
    </message>
    <message>
        <source>Loss {} at step {:,}, steady</source>
        <translation>Loss {} bei Schritt {:,}, gleichbleibend</translation>
    </message>
    <message>
        <source>Loss, {}; {}</source>
        <translation>Loss, {}; {}</translation>
    </message>
    <message>
        <source>Lower the learning rate to {:.2g}</source>
        <translation>Lernrate auf {:.2g} senken</translation>
    </message>
    <message>
        <source>Lowest validation loss</source>
        <translation>Niedrigster Validierungs-Loss</translation>
    </message>
    <message>
        <source>MLP layers matter most</source>
        <translation>MLP-Schichten zählen am meisten</translation>
    </message>
    <message>
        <source>MNIST tutorial: rank 1 on the 9s</source>
        <translation>MNIST-Tutorial: Rang 1 auf den Neunen</translation>
    </message>
    <message>
        <source>MNIST, 28 × 28</source>
        <translation>MNIST, 28 × 28</translation>
    </message>
    <message>
        <source>Make it the default rank; none of {} needs more to keep this share.</source>
        <translation>Zum Standardrang machen; keine von {} braucht mehr, um diesen Anteil zu behalten.</translation>
    </message>
    <message>
        <source>Masked language modelling</source>
        <translation>Maskierte Sprachmodellierung</translation>
    </message>
    <message>
        <source>Matrices and images ({});;All files (*)</source>
        <translation>Matrizen und Bilder ({});;Alle Dateien (*)</translation>
    </message>
    <message>
        <source>Max grad norm: what the norm of all gradients together is clipped to; 0: no clipping.</source>
        <translation>Max. Gradientennorm: worauf die Norm aller Gradienten zusammen begrenzt wird; 0: keine Begrenzung.</translation>
    </message>
    <message>
        <source>Max new tokens</source>
        <translation>Max. neue Token</translation>
    </message>
    <message>
        <source>Max norm</source>
        <translation>Max. Norm</translation>
    </message>
    <message>
        <source>Maximal-update adapters, arXiv 2602.06204</source>
        <translation>Maximal-Update-Adapter, arXiv 2602.06204</translation>
    </message>
    <message>
        <source>Measured at step {:,}: the validation loss goes from {} to {} ({}{}). It can be undone: Run → Revert to before the last edit.</source>
        <translation>Gemessen bei Schritt {:,}: Der Validierungs-Loss geht von {} auf {} ({}{}). Rückgängig: Lauf → Vor die letzte Änderung zurückgehen.</translation>
    </message>
    <message>
        <source>Measured here</source>
        <translation>Hier gemessen</translation>
    </message>
    <message>
        <source>Measured in the model and data that are open</source>
        <translation>Gemessen an Modell und Daten, die offen sind</translation>
    </message>
    <message>
        <source>Measuring between two steps…</source>
        <translation>Messung zwischen zwei Schritten…</translation>
    </message>
    <message>
        <source>Measuring the validation loss at each clip, between two steps…</source>
        <translation>Der Validierungs-Loss wird bei jeder Begrenzung gemessen, zwischen zwei Schritten…</translation>
    </message>
    <message>
        <source>Measuring the validation loss at each cut, between two steps…</source>
        <translation>Der Validierungs-Loss wird bei jedem Schnitt gemessen, zwischen zwei Schritten…</translation>
    </message>
    <message>
        <source>Measuring…</source>
        <translation>Wird gemessen…</translation>
    </message>
    <message>
        <source>Median of layers</source>
        <translation>Median der Schichten</translation>
    </message>
    <message>
        <source>Merge preview</source>
        <translation>Merge-Vorschau</translation>
    </message>
    <message>
        <source>Merge preview…</source>
        <translation>Merge-Vorschau…</translation>
    </message>
    <message>
        <source>Merged in</source>
        <translation>Gemergt in</translation>
    </message>
    <message>
        <source>Misclassified images</source>
        <translation>Falsch klassifizierte Bilder</translation>
    </message>
    <message>
        <source>Model &amp;after</source>
        <translation>Modell &amp;nachher</translation>
    </message>
    <message>
        <source>Model &amp;before</source>
        <translation>Modell vor&amp;her</translation>
    </message>
    <message>
        <source>Model after</source>
        <translation>Modell nachher</translation>
    </message>
    <message>
        <source>Model before</source>
        <translation>Modell vorher</translation>
    </message>
    <message>
        <source>Model fac&amp;tory</source>
        <translation>Modellfa&amp;ktory</translation>
    </message>
    <message>
        <source>Models (*.safetensors *.pt *.pth *.bin *.gguf);;All files (*)</source>
        <translation>Modelle (*.safetensors *.pt *.pth *.bin *.gguf);;Alle Dateien (*)</translation>
    </message>
    <message>
        <source>Models in the Hugging Face cache</source>
        <translation>Modelle im Hugging-Face-Cache</translation>
    </message>
    <message>
        <source>Module</source>
        <translation>Modul</translation>
    </message>
    <message>
        <source>Modules of one type in one row, as layers.*.q_proj</source>
        <translation>Module eines Typs in einer Zeile, etwa layers.*.q_proj</translation>
    </message>
    <message>
        <source>Modules of the model</source>
        <translation>Module des Modells</translation>
    </message>
    <message>
        <source>Momentum</source>
        <translation>Momentum</translation>
    </message>
    <message>
        <source>Momentum is for SGD; AdamW uses its betas.</source>
        <translation>Momentum gilt für SGD; AdamW hat seine Betas.</translation>
    </message>
    <message>
        <source>Momentum is for SGD; Muon has its own, 0.95.</source>
        <translation>Momentum gilt für SGD; Muon hat sein eigenes, 0,95.</translation>
    </message>
    <message>
        <source>More</source>
        <translation>Mehr</translation>
    </message>
    <message>
        <source>More actions for the run</source>
        <translation>Weitere Aktionen für den Lauf</translation>
    </message>
    <message>
        <source>Move a slider, by a notch or an octave</source>
        <translation>Einen Regler bewegen, um eine Raste oder eine Oktave</translation>
    </message>
    <message>
        <source>Move it to trash</source>
        <translation>In den Papierkorb</translation>
    </message>
    <message>
        <source>Move these runs to the trash?</source>
        <translation>Diese Läufe in den Papierkorb verschieben?</translation>
    </message>
    <message>
        <source>Move this run to the trash?</source>
        <translation>Diesen Lauf in den Papierkorb verschieben?</translation>
    </message>
    <message>
        <source>Move to trash</source>
        <translation>In den Papierkorb verschieben</translation>
    </message>
    <message>
        <source>Moving to the trash</source>
        <translation>Wird in den Papierkorb verschoben</translation>
    </message>
    <message>
        <source>Moving {} to the trash</source>
        <translation>{} wird in den Papierkorb verschoben</translation>
    </message>
    <message>
        <source>Multi-label text classification</source>
        <translation>Multi-Label-Textklassifikation</translation>
    </message>
    <message>
        <source>Muon for B, whose columns become alike; AdamW for A and all else</source>
        <translation>Muon für B, dessen Spalten sich angleichen; AdamW für A und alles andere</translation>
    </message>
    <message>
        <source>NF4 with double quantization, packed layer by layer: QLoRA&apos;s</source>
        <translation>NF4 mit doppelter Quantisierung, Schicht für Schicht gepackt: wie QLoRA</translation>
    </message>
    <message>
        <source>Name a folder for the adapter.</source>
        <translation>Einen Ordner für den Adapter angeben.</translation>
    </message>
    <message>
        <source>Name of a repository</source>
        <translation>Name eines Repositorys</translation>
    </message>
    <message>
        <source>Needs {}</source>
        <translation>Braucht {}</translation>
    </message>
    <message>
        <source>New task and old task over steps</source>
        <translation>Neue und alte Aufgabe über den Schritten</translation>
    </message>
    <message>
        <source>News: {}</source>
        <translation>Nachricht: {}</translation>
    </message>
    <message>
        <source>Next or previous control</source>
        <translation>Nächstes oder voriges Bedienelement</translation>
    </message>
    <message>
        <source>Next panel</source>
        <translation>Nächste Ansicht</translation>
    </message>
    <message>
        <source>No PNG could be made: {}.</source>
        <translation>Es konnte kein PNG erzeugt werden: {}.</translation>
    </message>
    <message>
        <source>No hint: no σ₁ stands alone, no direction is unused, and no effective rank is falling.</source>
        <translation>Kein Hinweis: Kein σ₁ steht allein, keine Richtung ist ungenutzt, und kein effektiver Rang fällt.</translation>
    </message>
    <message>
        <source>No loss yet.</source>
        <translation>Noch kein Loss.</translation>
    </message>
    <message>
        <source>No model is open. Open the base and its data first.</source>
        <translation>Kein Modell ist offen. Zuerst die Basis und ihre Daten öffnen.</translation>
    </message>
    <message>
        <source>No model yet.</source>
        <translation>Noch kein Modell.</translation>
    </message>
    <message>
        <source>No other run has both fewer parameters and a lower loss</source>
        <translation>Kein anderer Lauf hat zugleich weniger Parameter und einen kleineren Loss</translation>
    </message>
    <message>
        <source>No runs yet.</source>
        <translation>Noch keine Läufe.</translation>
    </message>
    <message>
        <source>No runs yet: the first training step creates one.</source>
        <translation>Noch keine Läufe: Der erste Trainingsschritt legt einen an.</translation>
    </message>
    <message>
        <source>No sound can be played here. Install PySide6-Addons, or one of pw-play, paplay, aplay.</source>
        <translation>Hier kann kein Ton gespielt werden. PySide6-Addons installieren, oder eines von pw-play, paplay, aplay.</translation>
    </message>
    <message>
        <source>No spectrum yet.</source>
        <translation>Noch kein Spektrum.</translation>
    </message>
    <message>
        <source>No step yet. Train (Space) is available once the model has loaded.</source>
        <translation>Noch kein Schritt. Trainieren (Leertaste) geht, sobald das Modell geladen ist.</translation>
    </message>
    <message>
        <source>No validation yet.</source>
        <translation>Noch keine Validierung.</translation>
    </message>
    <message>
        <source>None</source>
        <translation>Nichts</translation>
    </message>
    <message>
        <source>Note</source>
        <translation>Notiz</translation>
    </message>
    <message>
        <source>Notes</source>
        <translation>Hinweise</translation>
    </message>
    <message>
        <source>Nothing but zeros: the rank is 0.</source>
        <translation>Nur Nullen: Der Rang ist 0.</translation>
    </message>
    <message>
        <source>Nothing has been saved yet. The first step will be.</source>
        <translation>Noch nichts gespeichert. Der erste Schritt wird es.</translation>
    </message>
    <message>
        <source>Nothing is open</source>
        <translation>Nichts ist offen</translation>
    </message>
    <message>
        <source>Nothing is open.</source>
        <translation>Nichts ist offen.</translation>
    </message>
    <message>
        <source>Nothing to compare yet.</source>
        <translation>Noch nichts zu vergleichen.</translation>
    </message>
    <message>
        <source>Nothing was generated yet.</source>
        <translation>Noch nichts generiert.</translation>
    </message>
    <message>
        <source>Nothing was opened yet</source>
        <translation>Noch nichts geöffnet</translation>
    </message>
    <message>
        <source>Now choose the training data.</source>
        <translation>Jetzt die Trainingsdaten wählen.</translation>
    </message>
    <message>
        <source>Numbers (*.csv)</source>
        <translation>Zahlen (*.csv)</translation>
    </message>
    <message>
        <source>Numbers d</source>
        <translation>Zahlen d</translation>
    </message>
    <message>
        <source>Numerical rank</source>
        <translation>Numerischer Rang</translation>
    </message>
    <message>
        <source>Of the whole folder</source>
        <translation>Des ganzen Ordners</translation>
    </message>
    <message>
        <source>Of training</source>
        <translation>Des Trainings</translation>
    </message>
    <message>
        <source>Old runs</source>
        <translation>Alte Läufe</translation>
    </message>
    <message>
        <source>On Restart: {} adapted</source>
        <translation>Beim Neustart: {} adaptiert</translation>
    </message>
    <message>
        <source>One number for every run</source>
        <translation>Eine Zahl für alle Läufe</translation>
    </message>
    <message>
        <source>One run after another, in the order of the table</source>
        <translation>Ein Lauf nach dem anderen, in der Reihenfolge der Tabelle</translation>
    </message>
    <message>
        <source>Only for {}</source>
        <translation>Nur für {}</translation>
    </message>
    <message>
        <source>Only language models can generate text.</source>
        <translation>Nur Sprachmodelle können Text generieren.</translation>
    </message>
    <message>
        <source>Only modules with an adapter</source>
        <translation>Nur Module mit Adapter</translation>
    </message>
    <message>
        <source>Only where the file stores no α, as with loralib</source>
        <translation>Nur wo die Datei kein α speichert, wie bei loralib</translation>
    </message>
    <message>
        <source>Open</source>
        <translation>Öffnen</translation>
    </message>
    <message>
        <source>Open &amp;preset</source>
        <translation>&amp;Preset öffnen</translation>
    </message>
    <message>
        <source>Open &amp;recent</source>
        <translation>Zuletzt &amp;geöffnet</translation>
    </message>
    <message>
        <source>Open &amp;without saving</source>
        <translation>&amp;Ohne Speichern öffnen</translation>
    </message>
    <message>
        <source>Open a base checkpoint</source>
        <translation>Basis-Checkpoint öffnen</translation>
    </message>
    <message>
        <source>Open a model and data</source>
        <translation>Modell und Daten öffnen</translation>
    </message>
    <message>
        <source>Open a model and data of your own</source>
        <translation>Eigenes Modell und eigene Daten öffnen</translation>
    </message>
    <message>
        <source>Open adapter</source>
        <translation>Adapter öffnen</translation>
    </message>
    <message>
        <source>Open another base checkpoint</source>
        <translation>Anderen Basis-Checkpoint öffnen</translation>
    </message>
    <message>
        <source>Open another base…</source>
        <translation>Andere Basis öffnen…</translation>
    </message>
    <message>
        <source>Open checkpoint</source>
        <translation>Checkpoint öffnen</translation>
    </message>
    <message>
        <source>Open in &amp;workshop</source>
        <translation>In der &amp;Werkstatt öffnen</translation>
    </message>
    <message>
        <source>Open in the &amp;docks</source>
        <translation>In den &amp;Docks öffnen</translation>
    </message>
    <message>
        <source>Open it in the &amp;workshop</source>
        <translation>In der &amp;Werkstatt öffnen</translation>
    </message>
    <message>
        <source>Open the base model and the data first; then continue the adapter.</source>
        <translation>Zuerst Basismodell und Daten öffnen; dann den Adapter fortsetzen.</translation>
    </message>
    <message>
        <source>Open the settings of the selected run in the docks</source>
        <translation>Die Einstellungen des gewählten Laufs in den Docks öffnen</translation>
    </message>
    <message>
        <source>Open the zip of a run</source>
        <translation>Zip eines Laufs öffnen</translation>
    </message>
    <message>
        <source>Open the zip of a run…</source>
        <translation>Zip eines Laufs öffnen…</translation>
    </message>
    <message>
        <source>Opening</source>
        <translation>Wird geöffnet</translation>
    </message>
    <message>
        <source>Opening the run</source>
        <translation>Lauf wird geöffnet</translation>
    </message>
    <message>
        <source>Opening was cancelled, so the queue is paused.</source>
        <translation>Das Öffnen wurde abgebrochen, daher pausiert die Warteschlange.</translation>
    </message>
    <message>
        <source>Opening {}…</source>
        <translation>{} wird geöffnet…</translation>
    </message>
    <message>
        <source>Open…</source>
        <translation>Öffnen…</translation>
    </message>
    <message>
        <source>Optimi&amp;zer</source>
        <translation>&amp;Optimierer</translation>
    </message>
    <message>
        <source>Optimizer</source>
        <translation>Optimierer</translation>
    </message>
    <message>
        <source>Optimizer
state</source>
        <translation>Optimierer-
zustand</translation>
    </message>
    <message>
        <source>Optimizer: what turns gradients into steps.</source>
        <translation>Optimierer: was aus Gradienten Schritte macht.</translation>
    </message>
    <message>
        <source>Other programs</source>
        <translation>Andere Programme</translation>
    </message>
    <message>
        <source>Over time</source>
        <translation>Über die Zeit</translation>
    </message>
    <message>
        <source>P = H·G·Π·H·B over all weights at once, never held. Le et al. 2013; Li et al. 2018, Aghajanyan et al. 2020. Up to 3 million weights</source>
        <translation>P = H·G·Π·H·B über alle Gewichte zugleich, nie gehalten. Le et al. 2013; Li et al. 2018, Aghajanyan et al. 2020. Bis zu 3 Millionen Gewichte</translation>
    </message>
    <message>
        <source>Packing the run</source>
        <translation>Lauf wird gepackt</translation>
    </message>
    <message>
        <source>Page</source>
        <translation>Seite</translation>
    </message>
    <message>
        <source>Parameters</source>
        <translation>Parameter</translation>
    </message>
    <message>
        <source>Parameters per layer</source>
        <translation>Parameter je Schicht</translation>
    </message>
    <message>
        <source>Path</source>
        <translation>Pfad</translation>
    </message>
    <message>
        <source>Path of the model</source>
        <translation>Pfad des Modells</translation>
    </message>
    <message>
        <source>Patience</source>
        <translation>Geduld</translation>
    </message>
    <message>
        <source>Pause</source>
        <translation>Pause</translation>
    </message>
    <message>
        <source>Pause the &amp;queue</source>
        <translation>&amp;Warteschlange anhalten</translation>
    </message>
    <message>
        <source>Paused</source>
        <translation>Pausiert</translation>
    </message>
    <message>
        <source>Peak memory</source>
        <translation>Spitzenspeicher</translation>
    </message>
    <message>
        <source>Peak step size of the optimizer. LoRA needs about ten times that of full fine-tuning.</source>
        <translation>Größte Schrittweite des Optimierers. LoRA braucht etwa das Zehnfache des vollen Fine-Tunings.</translation>
    </message>
    <message>
        <source>Per-layer &amp;rank…</source>
        <translation>&amp;Rang dieser Schicht…</translation>
    </message>
    <message>
        <source>Per-layer rank; grey: the default rank. Double-click to edit</source>
        <translation>Rang je Schicht; grau: der Standardrang. Doppelklick zum Ändern</translation>
    </message>
    <message>
        <source>Picture (*.png)</source>
        <translation>Bild (*.png)</translation>
    </message>
    <message>
        <source>Plain gradient steps, with momentum if it is set</source>
        <translation>Einfache Gradientenschritte, mit Momentum, wenn es gesetzt ist</translation>
    </message>
    <message>
        <source>Play plot as sound</source>
        <translation>Plot als Ton abspielen</translation>
    </message>
    <message>
        <source>Plots (text)</source>
        <translation>Plots (Text)</translation>
    </message>
    <message>
        <source>Positions</source>
        <translation>Positionen</translation>
    </message>
    <message>
        <source>Preference (DPO)</source>
        <translation>Präferenz (DPO)</translation>
    </message>
    <message>
        <source>Preset</source>
        <translation>Preset</translation>
    </message>
    <message>
        <source>Preset or task, and the variant</source>
        <translation>Preset oder Aufgabe, und die Variante</translation>
    </message>
    <message>
        <source>Press Generate: the model continues the prompt with the adapter off and on. Generate again later; earlier texts stay here for comparison.</source>
        <translation>„Generieren“ drücken: Das Modell setzt den Prompt fort, mit Adapter aus und an. Später erneut generieren; frühere Texte bleiben zum Vergleich.</translation>
    </message>
    <message>
        <source>Press the button, or open the list, that has the focus</source>
        <translation>Den Knopf drücken oder die Liste öffnen, die den Fokus hat</translation>
    </message>
    <message>
        <source>Previous panel</source>
        <translation>Vorige Ansicht</translation>
    </message>
    <message>
        <source>Program</source>
        <translation>Programm</translation>
    </message>
    <message>
        <source>Progress</source>
        <translation>Fortschritt</translation>
    </message>
    <message>
        <source>Progress of opening the adapter</source>
        <translation>Fortschritt beim Öffnen des Adapters</translation>
    </message>
    <message>
        <source>Progress of the comparison</source>
        <translation>Fortschritt des Vergleichs</translation>
    </message>
    <message>
        <source>Progress of the download</source>
        <translation>Fortschritt des Herunterladens</translation>
    </message>
    <message>
        <source>Progress of the export</source>
        <translation>Fortschritt des Exports</translation>
    </message>
    <message>
        <source>Progress of the measurement</source>
        <translation>Fortschritt der Messung</translation>
    </message>
    <message>
        <source>Progress of the run</source>
        <translation>Fortschritt des Laufs</translation>
    </message>
    <message>
        <source>Progress of the work</source>
        <translation>Fortschritt der Arbeit</translation>
    </message>
    <message>
        <source>Projection</source>
        <translation>Projektion</translation>
    </message>
    <message>
        <source>Prompt</source>
        <translation>Prompt</translation>
    </message>
    <message>
        <source>Proved by</source>
        <translation>Geprüft mit</translation>
    </message>
    <message>
        <source>Pseudo-inverse X = {}</source>
        <translation>Pseudoinverse X = {}</translation>
    </message>
    <message>
        <source>Queue</source>
        <translation>Warteschlange</translation>
    </message>
    <message>
        <source>Queue finished: {} done.</source>
        <translation>Warteschlange fertig: {} erledigt.</translation>
    </message>
    <message>
        <source>Queue…</source>
        <translation>Warteschlange…</translation>
    </message>
    <message>
        <source>Quit</source>
        <translation>Beenden</translation>
    </message>
    <message>
        <source>Rank</source>
        <translation>Rang</translation>
    </message>
    <message>
        <source>Rank at the cut</source>
        <translation>Rang am Schnitt</translation>
    </message>
    <message>
        <source>Rank of {}</source>
        <translation>Rang von {}</translation>
    </message>
    <message>
        <source>Rank r</source>
        <translation>Rang r</translation>
    </message>
    <message>
        <source>Space</source>
        <translation>Raum</translation>
    </message>
    <message>
        <source>Steps between two validations; 0: as often as 3 % of the time allow. Which step is the best one is then a matter of the clock, and so is a patient run&apos;s end.</source>
        <translation>Schritte zwischen zwei Validierungen; 0: so oft, wie 3 % der Zeit es erlauben. Welcher Schritt der beste ist, hängt dann von der Uhr ab, ebenso das Ende eines geduldigen Laufs.</translation>
    </message>
    <message>
        <source>Table 5: which layers</source>
        <translation>Tabelle 5: welche Schichten</translation>
    </message>
    <message>
        <source>Table 6: which rank</source>
        <translation>Tabelle 6: welcher Rang</translation>
    </message>
    <message>
        <source>Table 7: amplification</source>
        <translation>Tabelle 7: Verstärkung</translation>
    </message>
    <message>
        <source>Ten times the rate</source>
        <translation>Das Zehnfache der Rate</translation>
    </message>
    <message>
        <source>Uni-LoRA</source>
        <translation>Uni-LoRA</translation>
    </message>
    <message>
        <source>What the d numbers of a random subspace move.</source>
        <translation>Was die d Zahlen eines zufälligen Unterraums bewegen.</translation>
    </message>
    <message>
        <source>What waits and has not begun. A search chooses here, one run after another: to a cluster goes a grid</source>
        <translation>Was wartet und nicht begonnen hat. Eine Suche wählt hier, einen Lauf nach dem anderen: an einen Cluster geht ein Raster</translation>
    </message>
    <message>
        <source>keeps what comes nearest; what is lost is shown afterwards</source>
        <translation>behält, was am nächsten kommt; was verloren geht, wird danach gezeigt</translation>
    </message>
    <message>
        <source>not applicable ({})</source>
        <translation>entfällt ({})</translation>
    </message>
    <message>
        <source>would discard {} of {}</source>
        <translation>würde {} {} verwerfen</translation>
    </message>
    <message>
        <source>Each error is ‖ΔW − ΣwΔW‖/‖ΣwΔW‖ of the worst layer. Adding the factors separately is not the same as adding the ΔWs. TIES, DARE and magnitude trim ΔW itself, as PEFT&apos;s ties_svd; what PEFT calls ties trims A and B apart.</source>
        <translation>Jeder Fehler ist ‖ΔW − ΣwΔW‖/‖ΣwΔW‖ der schlechtesten Schicht. Die Faktoren getrennt zu addieren ist nicht dasselbe wie die ΔW zu addieren. TIES, DARE und Magnitude beschneiden ΔW selbst, wie ties_svd von PEFT; was PEFT ties nennt, beschneidet A und B einzeln.</translation>
    </message>
    <message>
        <source> (base model {})</source>
        <translation> (Basismodell {})</translation>
    </message>
    <message>
        <source> seeds</source>
        <translation> Seeds</translation>
    </message>
    <message>
        <source> · {:,} still to be chosen</source>
        <translation> · {:,} noch zu wählen</translation>
    </message>
    <message>
        <source>&amp;Add a lane</source>
        <translation>Bahn &amp;hinzufügen</translation>
    </message>
    <message>
        <source>&amp;Add search</source>
        <translation>Suche &amp;hinzufügen</translation>
    </message>
    <message>
        <source>&amp;Continue</source>
        <translation>&amp;Weiter</translation>
    </message>
    <message>
        <source>&amp;Continue it there</source>
        <translation>Dort &amp;fortsetzen</translation>
    </message>
    <message>
        <source>&amp;Follow</source>
        <translation>&amp;Verfolgen</translation>
    </message>
    <message>
        <source>&amp;Learn</source>
        <translation>Ler&amp;nen</translation>
    </message>
    <message>
        <source>&amp;Measure it here</source>
        <translation>Hier &amp;messen</translation>
    </message>
    <message>
        <source>&amp;New race</source>
        <translation>&amp;Neues Rennen</translation>
    </message>
    <message>
        <source>&amp;Next lesson</source>
        <translation>&amp;Nächste Lektion</translation>
    </message>
    <message>
        <source>&amp;Pause</source>
        <translation>&amp;Pause</translation>
    </message>
    <message>
        <source>&amp;Run it and see</source>
        <translation>Laufen lassen und &amp;sehen</translation>
    </message>
    <message>
        <source>&amp;Save and end the run</source>
        <translation>&amp;Speichern und den Lauf beenden</translation>
    </message>
    <message>
        <source>&amp;Stack the lanes</source>
        <translation>Bahnen &amp;stapeln</translation>
    </message>
    <message>
        <source>&amp;Start</source>
        <translation>&amp;Start</translation>
    </message>
    <message>
        <source>&amp;Stop it there</source>
        <translation>Dort &amp;anhalten</translation>
    </message>
    <message>
        <source>&amp;Token</source>
        <translation>&amp;Token</translation>
    </message>
    <message>
        <source>&amp;Yes, {}</source>
        <translation>&amp;Ja, {}</translation>
    </message>
    <message>
        <source>90 % of it</source>
        <translation>90 % davon</translation>
    </message>
    <message>
        <source>A 784-200-200-10 net of 199,210 random weights, moved by 750 numbers in random directions. Li et al. (2018) found that they reach 90 % of full training.</source>
        <translation>Ein 784-200-200-10-Netz aus 199.210 zufälligen Gewichten, von 750 Zahlen in zufällige Richtungen bewegt. Li et al. (2018) fanden, dass sie 90 % des vollen Trainings erreichen.</translation>
    </message>
    <message>
        <source>A P of each tensor, with unit columns: every tensor moves alike, whatever its size. As Aghajanyan et al. 2020 compute it</source>
        <translation>Ein P je Tensor, mit Einheitsspalten: jeder Tensor bewegt sich gleich weit, wie groß er auch ist. So rechnen Aghajanyan et al. 2020</translation>
    </message>
    <message>
        <source>A batch has as many examples as its tokens allow.</source>
        <translation>Ein Batch hat so viele Beispiele, wie seine Tokens erlauben.</translation>
    </message>
    <message>
        <source>A folder that all of its machines see, by its whole path</source>
        <translation>Ein Ordner, den alle seine Maschinen sehen, mit vollem Pfad</translation>
    </message>
    <message>
        <source>A lane for each rank, as in 1, 2, 4, 8</source>
        <translation>Eine Bahn je Rang, etwa 1, 2, 4, 8</translation>
    </message>
    <message>
        <source>A prompt for the mixture</source>
        <translation>Ein Prompt für die Mischung</translation>
    </message>
    <message>
        <source>A race has {} lanes at most.</source>
        <translation>Ein Rennen hat höchstens {} Bahnen.</translation>
    </message>
    <message>
        <source>A search needs Optuna, which is not installed here: pip install &apos;lora-lab[search]&apos;.</source>
        <translation>Eine Suche braucht Optuna, das hier nicht installiert ist: pip install &apos;lora-lab[search]&apos;.</translation>
    </message>
    <message>
        <source>A sweep was on a cluster when the window was closed: {}.</source>
        <translation>Ein Sweep lief auf einem Cluster, als das Fenster geschlossen wurde: {}.</translation>
    </message>
    <message>
        <source>A&amp;ddress</source>
        <translation>A&amp;dresse</translation>
    </message>
    <message>
        <source>About two bits a number</source>
        <translation>Etwa zwei Bit je Zahl</translation>
    </message>
    <message>
        <source>About {}: some {:,} runs of {:,} steps, each at its best learning rate.</source>
        <translation>Etwa {}: rund {:,} Läufe zu {:,} Schritten, jeder mit seiner besten Lernrate.</translation>
    </message>
    <message>
        <source>About {}: {:,} rounds of {:,} steps over one base.</source>
        <translation>Etwa {}: {:,} Runden zu {:,} Schritten über einer Basis.</translation>
    </message>
    <message>
        <source>About {}: {:,} runs of {:,} steps over {:,} weights.</source>
        <translation>Etwa {}: {:,} Läufe zu {:,} Schritten über {:,} Gewichte.</translation>
    </message>
    <message>
        <source>Action, panel, setting or page</source>
        <translation>Aktion, Ansicht, Einstellung oder Seite</translation>
    </message>
    <message>
        <source>AdamW on gradients that each factor preconditions for the other, so that a step does not depend on how ΔW is divided between A and B. Zhang &amp; Pilanci 2024</source>
        <translation>AdamW auf Gradienten, die jeder Faktor für den anderen vorkonditioniert: ein Schritt hängt nicht davon ab, wie ΔW auf A und B verteilt ist. Zhang &amp; Pilanci 2024</translation>
    </message>
    <message>
        <source>AdamW whose averages take a byte for each number, a quarter of the memory. Dettmers et al. 2022</source>
        <translation>AdamW, dessen Mittel je Zahl ein Byte belegen, ein Viertel des Speichers. Dettmers et al. 2022</translation>
    </message>
    <message>
        <source>Adapter mix</source>
        <translation>Adaptermix</translation>
    </message>
    <message>
        <source>Add adapter</source>
        <translation>Adapter hinzufügen</translation>
    </message>
    <message>
        <source>Add adapters of this base, and drag their strengths.</source>
        <translation>Adapter dieser Basis hinzufügen und ihre Stärken ziehen.</translation>
    </message>
    <message>
        <source>All lanes in one batch: the same result but for rounding</source>
        <translation>Alle Bahnen in einem Batch: dasselbe Ergebnis bis auf Rundung</translation>
    </message>
    <message>
        <source>All lanes in one batch: the same result but for rounding, quicker for small nets</source>
        <translation>Alle Bahnen in einem Batch: dasselbe Ergebnis bis auf Rundung, schneller bei kleinen Netzen</translation>
    </message>
    <message>
        <source>Another job continues each run from its last checkpoint over there</source>
        <translation>Ein weiterer Job setzt jeden Lauf dort von seinem letzten Checkpoint fort</translation>
    </message>
    <message>
        <source>Another lane that continues from here</source>
        <translation>Eine weitere Bahn, die von hier weitergeht</translation>
    </message>
    <message>
        <source>As you predicted.</source>
        <translation>Wie vorhergesagt.</translation>
    </message>
    <message>
        <source>Ask the data</source>
        <translation>Die Daten fragen</translation>
    </message>
    <message>
        <source>Asking the cluster…</source>
        <translation>Der Cluster wird gefragt…</translation>
    </message>
    <message>
        <source>Asks the cluster again and again, until the sweep ends</source>
        <translation>Fragt den Cluster immer wieder, bis der Sweep endet</translation>
    </message>
    <message>
        <source>Asks the head, and its python for its version of the lab</source>
        <translation>Fragt den Head, und sein Python nach seiner Version des Labs</translation>
    </message>
    <message>
        <source>Attach</source>
        <translation>Verbinden</translation>
    </message>
    <message>
        <source>Batch tokens</source>
        <translation>Tokens je Batch</translation>
    </message>
    <message>
        <source>By a note of the desktop, for runs of over a minute, while the lab is behind</source>
        <translation>Durch eine Meldung des Desktops, bei Läufen von über einer Minute, wenn das Lab im Hintergrund steht</translation>
    </message>
    <message>
        <source>C&amp;heck</source>
        <translation>&amp;Prüfen</translation>
    </message>
    <message>
        <source>C&amp;hoice</source>
        <translation>Wah&amp;l</translation>
    </message>
    <message>
        <source>CPU c&amp;ores of each run</source>
        <translation>CPU-&amp;Kerne je Lauf</translation>
    </message>
    <message>
        <source>Choice of runs</source>
        <translation>Wahl der Läufe</translation>
    </message>
    <message>
        <source>Clone</source>
        <translation>Klonen</translation>
    </message>
    <message>
        <source>Cluster…</source>
        <translation>Cluster…</translation>
    </message>
    <message>
        <source>Colour each token of the row by its loss now</source>
        <translation>Jedes Token der Zeile nach seinem Loss von jetzt färben</translation>
    </message>
    <message>
        <source>Commands found</source>
        <translation>Gefundene Befehle</translation>
    </message>
    <message>
        <source>Continue in the &amp;background</source>
        <translation>Im &amp;Hintergrund weiterlaufen lassen</translation>
    </message>
    <message>
        <source>Continue it there</source>
        <translation>Dort fortsetzen</translation>
    </message>
    <message>
        <source>Cosine of the ΔWs (−1: they undo each other, 0: neither disturbs the other), then the smallest angle of what they read and of what they write; {:,} layers, at step {:,}.</source>
        <translation>Kosinus der ΔW (−1: sie heben einander auf, 0: keines stört das andere), dann der kleinste Winkel dessen, was sie lesen, und dessen, was sie schreiben; {:,} Schichten, bei Schritt {:,}.</translation>
    </message>
    <message>
        <source>Cosines and principal angles of the adapters, layer by layer</source>
        <translation>Kosinus und Hauptwinkel der Adapter, Schicht für Schicht</translation>
    </message>
    <message>
        <source>Curve</source>
        <translation>Kurve</translation>
    </message>
    <message>
        <source>Curves</source>
        <translation>Kurven</translation>
    </message>
    <message>
        <source>DID with a learned factor λ for each tensor, which are among the d numbers. Aghajanyan et al. 2020</source>
        <translation>DID mit einem gelernten Faktor λ je Tensor; sie zählen zu den d Zahlen. Aghajanyan et al. 2020</translation>
    </message>
    <message>
        <source>Differences among the best runs: {}</source>
        <translation>Unterschiede unter den besten Läufen: {}</translation>
    </message>
    <message>
        <source>Digits: pixels shuffled</source>
        <translation>Ziffern: Pixel gemischt</translation>
    </message>
    <message>
        <source>Direction {} writes {}.</source>
        <translation>Richtung {} schreibt {}.</translation>
    </message>
    <message>
        <source>Directions</source>
        <translation>Richtungen</translation>
    </message>
    <message>
        <source>Does the head of this sweep have another address now?</source>
        <translation>Hat der Head dieses Sweeps jetzt eine andere Adresse?</translation>
    </message>
    <message>
        <source>Drop</source>
        <translation>Entfernen</translation>
    </message>
    <message>
        <source>Edit after step {:,}</source>
        <translation>Änderung nach Schritt {:,}</translation>
    </message>
    <message>
        <source>Embedding and head get a weight each, where they share one in the base</source>
        <translation>Embedding und Kopf bekommen je ein Gewicht, wo sie in der Basis eines teilen</translation>
    </message>
    <message>
        <source>End the s&amp;earch</source>
        <translation>Suche been&amp;den</translation>
    </message>
    <message>
        <source>Ends the job; what was saved of its runs stays there</source>
        <translation>Beendet den Job; was von seinen Läufen gespeichert wurde, bleibt dort</translation>
    </message>
    <message>
        <source>Every action, panel, setting and page by name</source>
        <translation>Jede Aktion, Ansicht, Einstellung und Seite beim Namen</translation>
    </message>
    <message>
        <source>Find a command</source>
        <translation>Befehl suchen</translation>
    </message>
    <message>
        <source>Find a command…</source>
        <translation>Befehl suchen…</translation>
    </message>
    <message>
        <source>Find the validation rows that excite each direction most; some seconds</source>
        <translation>Die Validierungszeilen finden, die jede Richtung am stärksten anregen; einige Sekunden</translation>
    </message>
    <message>
        <source>Folder th&amp;ere</source>
        <translation>Ordner d&amp;ort</translation>
    </message>
    <message>
        <source>Folder there</source>
        <translation>Ordner dort</translation>
    </message>
    <message>
        <source>Follow it</source>
        <translation>Verfolgen</translation>
    </message>
    <message>
        <source>Generated text, adapters off and the mixture on</source>
        <translation>Generierter Text, Adapter aus und Mischung an</translation>
    </message>
    <message>
        <source>Gradient norm</source>
        <translation>Gradientennorm</translation>
    </message>
    <message>
        <source>Horizontal axis</source>
        <translation>Waagerechte Achse</translation>
    </message>
    <message>
        <source>How few numbers, thrown at random into all weights, can learn this task?</source>
        <translation>Wie wenige Zahlen, zufällig auf alle Gewichte verteilt, können diese Aufgabe lernen?</translation>
    </message>
    <message>
        <source>How many numbers?</source>
        <translation>Wie viele Zahlen?</translation>
    </message>
    <message>
        <source>How many numbers?…</source>
        <translation>Wie viele Zahlen?…</translation>
    </message>
    <message>
        <source>How the prompt is put to the model</source>
        <translation>Wie der Prompt dem Modell vorgelegt wird</translation>
    </message>
    <message>
        <source>How the runs are chosen</source>
        <translation>Wie die Läufe gewählt werden</translation>
    </message>
    <message>
        <source>Images with text</source>
        <translation>Bilder mit Text</translation>
    </message>
    <message>
        <source>In a process of its own: runs of over a minute continue when it is closed</source>
        <translation>In einem eigenen Prozess: Läufe von über einer Minute gehen weiter, wenn es geschlossen wird</translation>
    </message>
    <message>
        <source>In the panels of the main window, as its news come</source>
        <translation>In den Feldern des Hauptfensters, sowie Neues kommt</translation>
    </message>
    <message>
        <source>In {} two runs of rank {} share {:.2f} of the first direction; chance makes {:.3f}.</source>
        <translation>In {} teilen zwei Läufe mit Rang {} {:.2f} der ersten Richtung; Zufall ergibt {:.3f}.</translation>
    </message>
    <message>
        <source>Interference</source>
        <translation>Interferenz</translation>
    </message>
    <message>
        <source>Interference of the adapters</source>
        <translation>Interferenz der Adapter</translation>
    </message>
    <message>
        <source>Is it the rank that counts, or how many numbers there are?</source>
        <translation>Zählt der Rang, oder wie viele Zahlen es sind?</translation>
    </message>
    <message>
        <source>It can continue in the background; the lab shows it again when it is opened. Or the current step is finished, the adapter saved, and the run ended.</source>
        <translation>Er kann im Hintergrund weiterlaufen; das Lab zeigt ihn beim nächsten Öffnen wieder. Oder der laufende Schritt wird beendet, der Adapter gespeichert und der Lauf beendet.</translation>
    </message>
    <message>
        <source>It is otherwise: {}</source>
        <translation>Es ist anders: {}</translation>
    </message>
    <message>
        <source>It was sent to {}, and {} stands above. The token goes where you say.</source>
        <translation>Er wurde an {} geschickt, und oben steht {}. Das Token geht dorthin, wo Sie es sagen.</translation>
    </message>
    <message>
        <source>Keep the lab open</source>
        <translation>Das Lab offen lassen</translation>
    </message>
    <message>
        <source>Keep this lane as a run, and open it in the window</source>
        <translation>Diese Bahn als Lauf behalten und im Fenster öffnen</translation>
    </message>
    <message>
        <source>Keep training without the window</source>
        <translation>Ohne das Fenster weitertrainieren</translation>
    </message>
    <message>
        <source>Lane {} is kept as a run: {}</source>
        <translation>Bahn {} ist als Lauf behalten: {}</translation>
    </message>
    <message>
        <source>Lanes</source>
        <translation>Bahnen</translation>
    </message>
    <message>
        <source>Last step {:,}</source>
        <translation>Letzter Schritt {:,}</translation>
    </message>
    <message>
        <source>Layer whose directions are shown</source>
        <translation>Schicht, deren Richtungen gezeigt werden</translation>
    </message>
    <message>
        <source>Layers to adapt: all-linear, all-linear+conv, all-linear+experts, a module path or its end; none: all linear layers, and the convolutions where these hold most of the weights.</source>
        <translation>Zu adaptierende Schichten: all-linear, all-linear+conv, all-linear+experts, ein Modulpfad oder dessen Ende; nichts: alle linearen Schichten, und die Faltungen, wo diese die meisten Gewichte haben.</translation>
    </message>
    <message>
        <source>Learning rate of lane {}</source>
        <translation>Lernrate von Bahn {}</translation>
    </message>
    <message>
        <source>Lessons</source>
        <translation>Lektionen</translation>
    </message>
    <message>
        <source>Lessons…</source>
        <translation>Lektionen…</translation>
    </message>
    <message>
        <source>LoRA, random subspaces and their neighbours at the same trained count</source>
        <translation>LoRA, zufällige Unterräume und ihre Nachbarn bei gleich vielen trainierten Zahlen</translation>
    </message>
    <message>
        <source>Looking whether it was read before</source>
        <translation>Prüfen, ob es schon gelesen wurde</translation>
    </message>
    <message>
        <source>Loss of all lanes over steps</source>
        <translation>Verlust aller Bahnen über die Schritte</translation>
    </message>
    <message>
        <source>Loss per token at step {:,}: mean of the label tokens {} → {} (adapter off → on)</source>
        <translation>Loss je Token bei Schritt {:,}: Mittel der Label-Token {} → {} (Adapter aus → an)</translation>
    </message>
    <message>
        <source>MNIST: 750 numbers from nothing</source>
        <translation>MNIST: 750 Zahlen aus dem Nichts</translation>
    </message>
    <message>
        <source>Ma&amp;x length</source>
        <translation>Ma&amp;x. Länge</translation>
    </message>
    <message>
        <source>Mark the words that differ with the adapter off and on</source>
        <translation>Die Wörter markieren, die sich mit Adapter aus und an unterscheiden</translation>
    </message>
    <message>
        <source>Measure by</source>
        <translation>Messen nach</translation>
    </message>
    <message>
        <source>Measuring the file</source>
        <translation>Datei wird vermessen</translation>
    </message>
    <message>
        <source>Memory, GB</source>
        <translation>Speicher, GB</translation>
    </message>
    <message>
        <source>Moving into the window…</source>
        <translation>Der Lauf kommt ins Fenster…</translation>
    </message>
    <message>
        <source>Moving out of the window…</source>
        <translation>Der Lauf verlässt das Fenster…</translation>
    </message>
    <message>
        <source>Moving the run…</source>
        <translation>Der Lauf zieht um…</translation>
    </message>
    <message>
        <source>Name a rank at least, as in 1, 2, 4, 8.</source>
        <translation>Nennen Sie mindestens einen Rang, etwa 1, 2, 4, 8.</translation>
    </message>
    <message>
        <source>No further runs are chosen; those made are kept</source>
        <translation>Es werden keine weiteren Läufe gewählt; die gemachten bleiben</translation>
    </message>
    <message>
        <source>No rows: {}.</source>
        <translation>Keine Zeilen: {}.</translation>
    </message>
    <message>
        <source>No run stayed finite. Try smaller learning rates.</source>
        <translation>Kein Lauf blieb endlich. Versuchen Sie kleinere Lernraten.</translation>
    </message>
    <message>
        <source>No step yet.</source>
        <translation>Noch kein Schritt.</translation>
    </message>
    <message>
        <source>No sweep was sent to a cluster yet.</source>
        <translation>Noch wurde kein Sweep an einen Cluster geschickt.</translation>
    </message>
    <message>
        <source>No tokens are counted: this task does not read text, or the run was recorded before they were.</source>
        <translation>Token werden nicht gezählt: Diese Aufgabe liest keinen Text, oder der Lauf ist älter als die Zählung.</translation>
    </message>
    <message>
        <source>No tokens: {}.</source>
        <translation>Keine Token: {}.</translation>
    </message>
    <message>
        <source>No, {}</source>
        <translation>Nein, {}</translation>
    </message>
    <message>
        <source>Not available now: {}</source>
        <translation>Jetzt nicht verfügbar: {}</translation>
    </message>
    <message>
        <source>Not recorded yet: this task does not read text, or the run was recorded before this was.</source>
        <translation>Noch nicht aufgezeichnet: Diese Aufgabe liest keinen Text, oder der Lauf ist älter als die Aufzeichnung.</translation>
    </message>
    <message>
        <source>Nothing has been measured yet.</source>
        <translation>Noch ist nichts gemessen.</translation>
    </message>
    <message>
        <source>Nothing has moved yet: there are no directions at this step.</source>
        <translation>Noch hat sich nichts bewegt: bei diesem Schritt gibt es keine Richtungen.</translation>
    </message>
    <message>
        <source>Nothing is called so.</source>
        <translation>Nichts heißt so.</translation>
    </message>
    <message>
        <source>Notify when a long run ends</source>
        <translation>Melden, wenn ein langer Lauf endet</translation>
    </message>
    <message>
        <source>Of step</source>
        <translation>Von Schritt</translation>
    </message>
    <message>
        <source>Of the exact sum and of the chosen method, in the model and data that are open</source>
        <translation>Der exakten Summe und der gewählten Methode, an Modell und Daten, die offen sind</translation>
    </message>
    <message>
        <source>Of the head&apos;s dashboard; from outside, of a tunnel to it</source>
        <translation>Die des Dashboards des Heads; von außen die eines Tunnels dorthin</translation>
    </message>
    <message>
        <source>One P of all weights, with unit columns over all of them. Li et al. 2018</source>
        <translation>Ein P aller Gewichte, mit Einheitsspalten über alle. Li et al. 2018</translation>
    </message>
    <message>
        <source>One curve of the training</source>
        <translation>Eine Kurve des Trainings</translation>
    </message>
    <message>
        <source>One kind of layers: there is nothing to compare.</source>
        <translation>Nur eine Art von Schichten: es gibt nichts zu vergleichen.</translation>
    </message>
    <message>
        <source>One rate for all ranks</source>
        <translation>Eine Rate für alle Ränge</translation>
    </message>
    <message>
        <source>Only the likeliest tokens whose probabilities sum up to this</source>
        <translation>Nur die wahrscheinlichsten Token, deren Wahrscheinlichkeiten zusammen dies ergeben</translation>
    </message>
    <message>
        <source>Open a model first.</source>
        <translation>Zuerst ein Modell öffnen.</translation>
    </message>
    <message>
        <source>Open a run to see what its directions mean.</source>
        <translation>Einen Lauf öffnen, um zu sehen, was seine Richtungen bedeuten.</translation>
    </message>
    <message>
        <source>Open a run: its base model is what adapters are mixed over.</source>
        <translation>Einen Lauf öffnen: Über seinem Basismodell werden Adapter gemischt.</translation>
    </message>
    <message>
        <source>Open it</source>
        <translation>Öffnen</translation>
    </message>
    <message>
        <source>Opening the adapter</source>
        <translation>Adapter wird geöffnet</translation>
    </message>
    <message>
        <source>Opening the adapters</source>
        <translation>Adapter werden geöffnet</translation>
    </message>
    <message>
        <source>Opening the base once for all lanes…</source>
        <translation>Die Basis wird einmal für alle Bahnen geöffnet…</translation>
    </message>
    <message>
        <source>Opening the model to say what it costs…</source>
        <translation>Das Modell wird geöffnet, um die Kosten zu nennen…</translation>
    </message>
    <message>
        <source>Opening the task to say what it costs…</source>
        <translation>Die Aufgabe wird geöffnet, um die Kosten zu nennen…</translation>
    </message>
    <message>
        <source>Plain LoRA is as good as its variants once the learning rate of each is tuned.</source>
        <translation>Einfaches LoRA ist so gut wie seine Varianten, sobald die Lernrate jeder abgestimmt ist.</translation>
    </message>
    <message>
        <source>Preparing the adapters</source>
        <translation>Adapter werden vorbereitet</translation>
    </message>
    <message>
        <source>Prompt for the mixture</source>
        <translation>Prompt für die Mischung</translation>
    </message>
    <message>
        <source>Pruni&amp;ng</source>
        <translation>Vorzeiti&amp;g beenden</translation>
    </message>
    <message>
        <source>Pruning</source>
        <translation>Vorzeitiges Beenden</translation>
    </message>
    <message>
        <source>Q8_0, packed layer by layer: the rounding is a twentieth of that of 4</source>
        <translation>Q8_0, Schicht für Schicht gepackt: die Rundung ist ein Zwanzigstel von der bei 4</translation>
    </message>
    <message>
        <source>Questions, each with a prediction and a run that answers</source>
        <translation>Fragen, jede mit einer Vorhersage und einem Lauf, der antwortet</translation>
    </message>
    <message>
        <source>Queued. Figures appear here as the runs end; the queue shows them.</source>
        <translation>Eingereiht. Die Abbildungen erscheinen hier, sobald die Läufe enden; die Warteschlange zeigt sie.</translation>
    </message>
    <message>
        <source>Queued. The verdict appears here when the last run has ended.</source>
        <translation>Eingereiht. Das Urteil erscheint hier, wenn der letzte Lauf geendet hat.</translation>
    </message>
    <message>
        <source>Rank of another lane</source>
        <translation>Rang einer weiteren Bahn</translation>
    </message>
    <message>
        <source>Rank of lane {}</source>
        <translation>Rang von Bahn {}</translation>
    </message>
    <message>
        <source>Rank or numbers?</source>
        <translation>Rang oder Zahlen?</translation>
    </message>
    <message>
        <source>Rank or numbers?…</source>
        <translation>Rang oder Zahlen?…</translation>
    </message>
    <message>
        <source>Rank race</source>
        <translation>Rennen der Ränge</translation>
    </message>
    <message>
        <source>Rank race…</source>
        <translation>Rennen der Ränge…</translation>
    </message>
    <message>
        <source>Rank that the outcome is truncated to</source>
        <translation>Rang, auf den das Ergebnis gekürzt wird</translation>
    </message>
    <message>
        <source>Rank {} is enough here; rank {} is hardly better.</source>
        <translation>Rang {} genügt hier; Rang {} ist kaum besser.</translation>
    </message>
    <message>
        <source>Rank {} is the best of these.</source>
        <translation>Rang {} ist der beste von diesen.</translation>
    </message>
    <message>
        <source>Ranks</source>
        <translation>Ränge</translation>
    </message>
    <message>
        <source>Ranks, a lane each</source>
        <translation>Ränge, je eine Bahn</translation>
    </message>
    <message>
        <source>Read the data again with these columns</source>
        <translation>Die Daten mit diesen Spalten neu lesen</translation>
    </message>
    <message>
        <source>Reading</source>
        <translation>Wird gelesen</translation>
    </message>
    <message>
        <source>Reading the run</source>
        <translation>Lauf wird gelesen</translation>
    </message>
    <message>
        <source>Reading the runs…</source>
        <translation>Läufe werden gelesen…</translation>
    </message>
    <message>
        <source>Reading the tokens</source>
        <translation>Token werden gelesen</translation>
    </message>
    <message>
        <source>Reading {}</source>
        <translation>{} wird gelesen</translation>
    </message>
    <message>
        <source>Ready</source>
        <translation>Bereit</translation>
    </message>
    <message>
        <source>Reason</source>
        <translation>Grund</translation>
    </message>
    <message>
        <source>Redo</source>
        <translation>Wiederholen</translation>
    </message>
    <message>
        <source>Refresh</source>
        <translation>Aktualisieren</translation>
    </message>
    <message>
        <source>Regression on text</source>
        <translation>Regression auf Text</translation>
    </message>
    <message>
        <source>Rejected</source>
        <translation>Abgelehnt</translation>
    </message>
    <message>
        <source>Relative error</source>
        <translation>Relativer Fehler</translation>
    </message>
    <message>
        <source>Remo&amp;ve</source>
        <translation>&amp;Entfernen</translation>
    </message>
    <message>
        <source>Remove</source>
        <translation>Entfernen</translation>
    </message>
    <message>
        <source>Remove finished runs from the list; the runs are kept</source>
        <translation>Fertige Läufe aus der Liste entfernen; die Läufe bleiben erhalten</translation>
    </message>
    <message>
        <source>Remove per-layer ranks and unfreeze all layers</source>
        <translation>Ränge je Schicht entfernen und alle Schichten auftauen</translation>
    </message>
    <message>
        <source>Remove {}</source>
        <translation>{} entfernen</translation>
    </message>
    <message>
        <source>Rename…</source>
        <translation>Umbenennen…</translation>
    </message>
    <message>
        <source>Replace what is there?</source>
        <translation>Vorhandenes ersetzen?</translation>
    </message>
    <message>
        <source>Request rank {} for {}, like the slider</source>
        <translation>Rang {} für {} anfordern, wie der Regler</translation>
    </message>
    <message>
        <source>Res&amp;ume</source>
        <translation>&amp;Fortsetzen</translation>
    </message>
    <message>
        <source>Reset layout</source>
        <translation>Layout zurücksetzen</translation>
    </message>
    <message>
        <source>Reset per-layer settings</source>
        <translation>Je Schicht Gesetztes zurücknehmen</translation>
    </message>
    <message>
        <source>Restart</source>
        <translation>Neu starten</translation>
    </message>
    <message>
        <source>Restart with these settings</source>
        <translation>Mit diesen Einstellungen neu starten</translation>
    </message>
    <message>
        <source>Restore the step before it, with its settings</source>
        <translation>Den Schritt davor wiederherstellen, mit seinen Einstellungen</translation>
    </message>
    <message>
        <source>Resume</source>
        <translation>Fortsetzen</translation>
    </message>
    <message>
        <source>Resume it</source>
        <translation>Fortsetzen</translation>
    </message>
    <message>
        <source>Retention</source>
        <translation>Retention</translation>
    </message>
    <message>
        <source>Retention set: file or folder of the same form with rows of the old task. A few are measured beside the validation rows, and show what the model forgets.</source>
        <translation>Retention-Set: Datei oder Ordner derselben Form mit Zeilen der alten Aufgabe. Einige werden neben den Validierungszeilen gemessen und zeigen, was das Modell vergisst.</translation>
    </message>
    <message>
        <source>Reuse sett&amp;ings</source>
        <translation>E&amp;instellungen übernehmen</translation>
    </message>
    <message>
        <source>Revert</source>
        <translation>Zurückgehen</translation>
    </message>
    <message>
        <source>Revert or branch…</source>
        <translation>Zurückgehen oder abzweigen…</translation>
    </message>
    <message>
        <source>Revert to a checkpoint…</source>
        <translation>Zu einem Checkpoint zurückgehen…</translation>
    </message>
    <message>
        <source>Revert to before the last edit</source>
        <translation>Vor die letzte Änderung zurückgehen</translation>
    </message>
    <message>
        <source>Reverting drops the steps after the checkpoint from this run. A branch is a new run that starts there with the current settings; this run stays unchanged.</source>
        <translation>Zurückgehen verwirft die Schritte dieses Laufs nach dem Checkpoint. Ein Zweig ist ein neuer Lauf, der dort mit den aktuellen Einstellungen beginnt; dieser Lauf bleibt unverändert.</translation>
    </message>
    <message>
        <source>Rings 256 × 256</source>
        <translation>Ringe 256 × 256</translation>
    </message>
    <message>
        <source>Rounding</source>
        <translation>Rundung</translation>
    </message>
    <message>
        <source>Rounding alone may make a σ as large as max(m, n)·ε·σ₁</source>
        <translation>Rundung allein kann ein σ bis max(m, n)·ε·σ₁ erzeugen</translation>
    </message>
    <message>
        <source>Rows end to end up to the max length: no padding</source>
        <translation>Zeilen aneinandergereiht bis zur max. Länge: kein Padding</translation>
    </message>
    <message>
        <source>Rows in random order</source>
        <translation>Zeilen in zufälliger Reihenfolge</translation>
    </message>
    <message>
        <source>Rows of similar length together: little padding</source>
        <translation>Zeilen ähnlicher Länge zusammen: wenig Padding</translation>
    </message>
    <message>
        <source>Rows of the data</source>
        <translation>Zeilen der Daten</translation>
    </message>
    <message>
        <source>Rows per class</source>
        <translation>Zeilen je Klasse</translation>
    </message>
    <message>
        <source>RsLoRA</source>
        <translation>RsLoRA</translation>
    </message>
    <message>
        <source>Run</source>
        <translation>Lauf</translation>
    </message>
    <message>
        <source>Run on</source>
        <translation>Ausführen auf</translation>
    </message>
    <message>
        <source>Run on a cluster</source>
        <translation>Auf einem Cluster ausführen</translation>
    </message>
    <message>
        <source>Run the code that builds this model?</source>
        <translation>Den Code ausführen, der dieses Modell baut?</translation>
    </message>
    <message>
        <source>Runs</source>
        <translation>Läufe</translation>
    </message>
    <message>
        <source>Runs of the grid</source>
        <translation>Läufe des Rasters</translation>
    </message>
    <message>
        <source>Runs of the queue</source>
        <translation>Läufe der Warteschlange</translation>
    </message>
    <message>
        <source>Runs of the sweep</source>
        <translation>Läufe des Sweeps</translation>
    </message>
    <message>
        <source>Runs per combination, each with its own seed</source>
        <translation>Läufe je Kombination, jeder mit eigenem Seed</translation>
    </message>
    <message>
        <source>Runs that are compared</source>
        <translation>Läufe, die verglichen werden</translation>
    </message>
    <message>
        <source>Runs that the search makes</source>
        <translation>Läufe, die die Suche macht</translation>
    </message>
    <message>
        <source>Runs…</source>
        <translation>Läufe…</translation>
    </message>
    <message>
        <source>S&amp;chedule</source>
        <translation>LR-&amp;Verlauf</translation>
    </message>
    <message>
        <source>S&amp;eeds</source>
        <translation>See&amp;ds</translation>
    </message>
    <message>
        <source>S&amp;teps</source>
        <translation>Sch&amp;ritte</translation>
    </message>
    <message>
        <source>S&amp;weep</source>
        <translation>S&amp;weep</translation>
    </message>
    <message>
        <source>SGD&apos;s momentum.</source>
        <translation>Momentum von SGD.</translation>
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
        <translation>SVD-Labor</translation>
    </message>
    <message>
        <source>SVD bench…</source>
        <translation>SVD-Labor…</translation>
    </message>
    <message>
        <source>Same number of parameters as this rank in every layer</source>
        <translation>So viele Parameter wie mit diesem Rang in jeder Schicht</translation>
    </message>
    <message>
        <source>Sample matrix</source>
        <translation>Beispielmatrix</translation>
    </message>
    <message>
        <source>Save adapter</source>
        <translation>Adapter speichern</translation>
    </message>
    <message>
        <source>Save adapter and end run</source>
        <translation>Adapter speichern und Lauf beenden</translation>
    </message>
    <message>
        <source>Save as a zip…</source>
        <translation>Als Zip speichern…</translation>
    </message>
    <message>
        <source>Save in another &amp;folder…</source>
        <translation>In anderem O&amp;rdner speichern…</translation>
    </message>
    <message>
        <source>Save its adapter</source>
        <translation>Seinen Adapter speichern</translation>
    </message>
    <message>
        <source>Save plot…</source>
        <translation>Plot speichern…</translation>
    </message>
    <message>
        <source>Save the report</source>
        <translation>Bericht speichern</translation>
    </message>
    <message>
        <source>Save the run as a zip</source>
        <translation>Lauf als Zip speichern</translation>
    </message>
    <message>
        <source>Save the run in</source>
        <translation>Lauf speichern in</translation>
    </message>
    <message>
        <source>Save the script</source>
        <translation>Skript speichern</translation>
    </message>
    <message>
        <source>Save {}</source>
        <translation>{} speichern</translation>
    </message>
    <message>
        <source>Save {}…</source>
        <translation>{} speichern…</translation>
    </message>
    <message>
        <source>Saved</source>
        <translation>Gespeichert</translation>
    </message>
    <message>
        <source>Saved the adapter of step {:,} in {}</source>
        <translation>Adapter von Schritt {:,} gespeichert in {}</translation>
    </message>
    <message>
        <source>Saved {}</source>
        <translation>{} gespeichert</translation>
    </message>
    <message>
        <source>Saving</source>
        <translation>Speichern</translation>
    </message>
    <message>
        <source>Saving…</source>
        <translation>Wird gespeichert…</translation>
    </message>
    <message>
        <source>Say first what you expect</source>
        <translation>Zuerst sagen, was zu erwarten ist</translation>
    </message>
    <message>
        <source>Scaling s</source>
        <translation>Skalierung s</translation>
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
        <translation>Schulman et al. 2025; zufällige Labels wie bei Zhang et al. 2017, arXiv 1611.03530</translation>
    </message>
    <message>
        <source>Schulman et al. 2025; tinker-cookbook, sweep of June 2026</source>
        <translation>Schulman et al. 2025; tinker-cookbook, Suchlauf vom Juni 2026</translation>
    </message>
    <message>
        <source>Score over the number of numbers</source>
        <translation>Wert über der Anzahl der Zahlen</translation>
    </message>
    <message>
        <source>Screen</source>
        <translation>Bildschirm</translation>
    </message>
    <message>
        <source>Se&amp;nd what waits ({:,})</source>
        <translation>Wartende se&amp;nden ({:,})</translation>
    </message>
    <message>
        <source>Search by name, type or shape</source>
        <translation>Nach Name, Typ oder Form suchen</translation>
    </message>
    <message>
        <source>Search the layers</source>
        <translation>Schichten durchsuchen</translation>
    </message>
    <message>
        <source>Search the modules</source>
        <translation>Module durchsuchen</translation>
    </message>
    <message>
        <source>Search the tensors</source>
        <translation>Tensoren durchsuchen</translation>
    </message>
    <message>
        <source>Search, as in layers.*.q_proj</source>
        <translation>Suchen, etwa layers.*.q_proj</translation>
    </message>
    <message>
        <source>Second adapter</source>
        <translation>Zweiter Adapter</translation>
    </message>
    <message>
        <source>Seed of inits, batches and dropout.</source>
        <translation>Seed von Inits, Batches und Dropout.</translation>
    </message>
    <message>
        <source>Seed of the entries that DARE drops</source>
        <translation>Seed der Einträge, die DARE verwirft</translation>
    </message>
    <message>
        <source>Seed of what is drawn</source>
        <translation>Seed dessen, was gezogen wird</translation>
    </message>
    <message>
        <source>Seeds</source>
        <translation>Seeds</translation>
    </message>
    <message>
        <source>Seeds of each combination</source>
        <translation>Seeds jeder Kombination</translation>
    </message>
    <message>
        <source>Seeds of each run</source>
        <translation>Seeds jedes Laufs</translation>
    </message>
    <message>
        <source>Select all of this t&amp;ype</source>
        <translation>Alle dieses T&amp;yps auswählen</translation>
    </message>
    <message>
        <source>Sending…</source>
        <translation>Wird gesendet…</translation>
    </message>
    <message>
        <source>Sent to {}; not followed now.</source>
        <translation>An {} geschickt; wird jetzt nicht verfolgt.</translation>
    </message>
    <message>
        <source>Sent, runs: {:,}</source>
        <translation>Gesendet, Läufe: {:,}</translation>
    </message>
    <message>
        <source>Sequence to sequence</source>
        <translation>Sequenz zu Sequenz</translation>
    </message>
    <message>
        <source>Set rank</source>
        <translation>Rang setzen</translation>
    </message>
    <message>
        <source>Sets of targets</source>
        <translation>Mengen von Zielen</translation>
    </message>
    <message>
        <source>Sets separated by semicolons: all-linear; fc1, fc2</source>
        <translation>Mengen durch Semikolon getrennt: all-linear; fc1, fc2</translation>
    </message>
    <message>
        <source>Setting</source>
        <translation>Einstellung</translation>
    </message>
    <message>
        <source>Settings of a run that is not in this queue</source>
        <translation>Einstellungen eines Laufs, der nicht in dieser Warteschlange ist</translation>
    </message>
    <message>
        <source>Settings of old runs</source>
        <translation>Einstellungen alter Läufe</translation>
    </message>
    <message>
        <source>Settings that differ</source>
        <translation>Abweichende Einstellungen</translation>
    </message>
    <message>
        <source>Setup</source>
        <translation>Aufbau</translation>
    </message>
    <message>
        <source>Several ranks side by side over one base, on the same batches</source>
        <translation>Mehrere Ränge nebeneinander über einer Basis, auf denselben Batches</translation>
    </message>
    <message>
        <source>Shape</source>
        <translation>Form</translation>
    </message>
    <message>
        <source>Shape of W as a matrix</source>
        <translation>Form von W als Matrix</translation>
    </message>
    <message>
        <source>Share of each ΔW&apos;s entries that is kept</source>
        <translation>Anteil der Einträge jedes ΔW, der bleibt</translation>
    </message>
    <message>
        <source>Share of full fine-tuning</source>
        <translation>Anteil am vollen Fine-Tuning</translation>
    </message>
    <message>
        <source>Share of the adapter&apos;s inputs that is zeroed while training (never while evaluating).</source>
        <translation>Anteil der Adaptereingaben, der im Training auf null gesetzt wird (nie beim Auswerten).</translation>
    </message>
    <message>
        <source>Show all runs</source>
        <translation>Alle Läufe zeigen</translation>
    </message>
    <message>
        <source>Show everything again and follow the data (or double-click the plot)</source>
        <translation>Alles wieder zeigen und den Daten folgen (oder Doppelklick auf den Plot)</translation>
    </message>
    <message>
        <source>Show its &amp;spectrum</source>
        <translation>Ihr &amp;Spektrum zeigen</translation>
    </message>
    <message>
        <source>Show runs folder</source>
        <translation>Ordner der Läufe zeigen</translation>
    </message>
    <message>
        <source>Show the &amp;run</source>
        <translation>&amp;Lauf zeigen</translation>
    </message>
    <message>
        <source>Shown</source>
        <translation>Gezeigt</translation>
    </message>
    <message>
        <source>Simple to look at, but of high rank: a round edge.</source>
        <translation>Sieht einfach aus, hat aber hohen Rang: ein runder Rand.</translation>
    </message>
    <message>
        <source>Singular &amp;values</source>
        <translation>&amp;Singulärwerte</translation>
    </message>
    <message>
        <source>Singular values</source>
        <translation>Singulärwerte</translation>
    </message>
    <message>
        <source>Singular values above rounding error</source>
        <translation>Singulärwerte über dem Rundungsfehler</translation>
    </message>
    <message>
        <source>Singular values of W</source>
        <translation>Singulärwerte von W</translation>
    </message>
    <message>
        <source>Singular values of ΔW</source>
        <translation>Singulärwerte von ΔW</translation>
    </message>
    <message>
        <source>Singular values of ΔW, a picture per layer</source>
        <translation>Singulärwerte von ΔW, ein Bild je Schicht</translation>
    </message>
    <message>
        <source>Singular values of ΔW, layer by layer</source>
        <translation>Singulärwerte von ΔW, Schicht für Schicht</translation>
    </message>
    <message>
        <source>Singular values that are kept</source>
        <translation>Behaltene Singulärwerte</translation>
    </message>
    <message>
        <source>Singular values that are kept, as a number</source>
        <translation>Behaltene Singulärwerte, als Zahl</translation>
    </message>
    <message>
        <source>Singular values σᵢ of W</source>
        <translation>Singulärwerte σᵢ von W</translation>
    </message>
    <message>
        <source>Size</source>
        <translation>Größe</translation>
    </message>
    <message>
        <source>Size of the change relative to the frozen weights</source>
        <translation>Größe der Änderung relativ zu den eingefrorenen Gewichten</translation>
    </message>
    <message>
        <source>Size of the change relative to the frozen weights. Of several layers: the median; at the edge, the colour of the largest</source>
        <translation>Größe der Änderung relativ zu den eingefrorenen Gewichten. Bei mehreren Schichten: der Median; am Rand die Farbe der größten</translation>
    </message>
    <message>
        <source>Skip</source>
        <translation>Überspringen</translation>
    </message>
    <message>
        <source>Small multiples</source>
        <translation>Kleine Bilder</translation>
    </message>
    <message>
        <source>Smoothed training loss</source>
        <translation>Geglätteter Trainings-Loss</translation>
    </message>
    <message>
        <source>Smoothing</source>
        <translation>Smoothing</translation>
    </message>
    <message>
        <source>Smoothing: share of the average before at each step; 0: as measured</source>
        <translation>Glättung: Anteil des bisherigen Mittels bei jedem Schritt; 0: wie gemessen</translation>
    </message>
    <message>
        <source>So far rank {} is the best.</source>
        <translation>Bisher ist Rang {} der beste.</translation>
    </message>
    <message>
        <source>So it did at every lower rate that was tried: none is suggested.</source>
        <translation>Ebenso bei jeder kleineren Rate, die versucht wurde: Keine wird vorgeschlagen.</translation>
    </message>
    <message>
        <source>Something else was opened, so the queue is paused.</source>
        <translation>Etwas anderes wurde geöffnet, daher pausiert die Warteschlange.</translation>
    </message>
    <message>
        <source>Sor&amp;t by {}</source>
        <translation>Nach {} s&amp;ortieren</translation>
    </message>
    <message>
        <source>Source</source>
        <translation>Quelle</translation>
    </message>
    <message>
        <source>Spectral health</source>
        <translation>Spektrale Gesundheit</translation>
    </message>
    <message>
        <source>Spectral health…</source>
        <translation>Spektrale Gesundheit…</translation>
    </message>
    <message>
        <source>Spectral norm: the largest σ that is cut</source>
        <translation>Spektralnorm: das größte abgeschnittene σ</translation>
    </message>
    <message>
        <source>Spectrum</source>
        <translation>Spektrum</translation>
    </message>
    <message>
        <source>Speed</source>
        <translation>Geschwindigkeit</translation>
    </message>
    <message>
        <source>Stable</source>
        <translation>Stabil</translation>
    </message>
    <message>
        <source>Stable rank</source>
        <translation>Stabiler Rang</translation>
    </message>
    <message>
        <source>Stacked {} times as fast.</source>
        <translation>Gestapelt {}-mal so schnell.</translation>
    </message>
    <message>
        <source>Stage 1 of 2 pretrains the base: there is no adapter yet</source>
        <translation>Stufe 1 von 2 trainiert die Basis vor: Es gibt noch keinen Adapter</translation>
    </message>
    <message>
        <source>Stage 1 of 2: {}, {:,} steps. The adapter follows by itself</source>
        <translation>Stufe 1 von 2: {}, {:,} Schritte. Der Adapter folgt von selbst</translation>
    </message>
    <message>
        <source>Start again at step 0 with the settings shown</source>
        <translation>Bei Schritt 0 neu beginnen, mit den gezeigten Einstellungen</translation>
    </message>
    <message>
        <source>Start again at step 0 with the ticked modules</source>
        <translation>Bei Schritt 0 neu beginnen, mit den angekreuzten Modulen</translation>
    </message>
    <message>
        <source>Start the &amp;queue</source>
        <translation>&amp;Warteschlange starten</translation>
    </message>
    <message>
        <source>Starting the engine…</source>
        <translation>Der Trainingsprozess startet…</translation>
    </message>
    <message>
        <source>State</source>
        <translation>Zustand</translation>
    </message>
    <message>
        <source>State of the queue</source>
        <translation>Zustand der Warteschlange</translation>
    </message>
    <message>
        <source>State of the sweep</source>
        <translation>Stand des Sweeps</translation>
    </message>
    <message>
        <source>Step</source>
        <translation>Schritt</translation>
    </message>
    <message>
        <source>Step {:,} of {:,}: rank {} has the least validation loss</source>
        <translation>Schritt {:,} von {:,}: Rang {} hat den kleinsten Validierungsverlust</translation>
    </message>
    <message>
        <source>Step {:,}, adapter off: {} Adapter on: {}</source>
        <translation>Schritt {:,}, Adapter aus: {} Adapter an: {}</translation>
    </message>
    <message>
        <source>Step {:,}: the first {} of {} directions, ΔW·x = Σ σ (v·x) u.</source>
        <translation>Schritt {:,}: die ersten {} von {} Richtungen, ΔW·x = Σ σ (v·x) u.</translation>
    </message>
    <message>
        <source>Steps</source>
        <translation>Schritte</translation>
    </message>
    <message>
        <source>Steps of each run</source>
        <translation>Schritte jedes Laufs</translation>
    </message>
    <message>
        <source>Steps of linear warm-up; half of the run&apos;s steps at most.</source>
        <translation>Schritte des linearen Warm-ups; höchstens die Hälfte der Schritte.</translation>
    </message>
    <message>
        <source>Steps of one run.</source>
        <translation>Schritte eines Laufs.</translation>
    </message>
    <message>
        <source>Steps per second</source>
        <translation>Schritte pro Sekunde</translation>
    </message>
    <message>
        <source>Steps to train further</source>
        <translation>Weitere Trainingsschritte</translation>
    </message>
    <message>
        <source>Steps/s</source>
        <translation>Schritte/s</translation>
    </message>
    <message>
        <source>Stop</source>
        <translation>Stopp</translation>
    </message>
    <message>
        <source>Stop in the background</source>
        <translation>Im Hintergrund beenden</translation>
    </message>
    <message>
        <source>Stop texts</source>
        <translation>Stopptexte</translation>
    </message>
    <message>
        <source>Stopped</source>
        <translation>Gestoppt</translation>
    </message>
    <message>
        <source>Stopped. What was measured so far stays in the picture.</source>
        <translation>Gestoppt. Das bisher Gemessene bleibt im Bild.</translation>
    </message>
    <message>
        <source>Strength</source>
        <translation>Stärke</translation>
    </message>
    <message>
        <source>Strength of {}</source>
        <translation>Stärke von {}</translation>
    </message>
    <message>
        <source>Strength of {}, as a number</source>
        <translation>Stärke von {}, als Zahl</translation>
    </message>
    <message>
        <source>Strong directions of W + ΔW that W does not have: a sign of forgetting</source>
        <translation>Starke Richtungen von W + ΔW, die W nicht hat: ein Zeichen von Vergessen</translation>
    </message>
    <message>
        <source>Structure</source>
        <translation>Struktur</translation>
    </message>
    <message>
        <source>Suggest a rank</source>
        <translation>Rang vorschlagen</translation>
    </message>
    <message>
        <source>Suggest a rank from the energy (Σσ²) of ΔW, with its validation loss</source>
        <translation>Einen Rang aus der Energie (Σσ²) von ΔW vorschlagen, mit seinem Validierungs-Loss</translation>
    </message>
    <message>
        <source>Suggest a rank…</source>
        <translation>Rang vorschlagen…</translation>
    </message>
    <message>
        <source>Suggest…</source>
        <translation>Vorschlagen…</translation>
    </message>
    <message>
        <source>Sweeps on clusters</source>
        <translation>Sweeps auf Clustern</translation>
    </message>
    <message>
        <source>System</source>
        <translation>System</translation>
    </message>
    <message>
        <source>TPE</source>
        <translation>TPE</translation>
    </message>
    <message>
        <source>Tab, Shift+Tab</source>
        <translation>Tab, Umschalt+Tab</translation>
    </message>
    <message>
        <source>Tabs of the docks that lie here</source>
        <translation>Reiter der Docks, die hier liegen</translation>
    </message>
    <message>
        <source>Take this lane out; the others continue</source>
        <translation>Diese Bahn herausnehmen; die anderen laufen weiter</translation>
    </message>
    <message>
        <source>Taking over the queue that runs in the background…</source>
        <translation>Die Warteschlange, die im Hintergrund läuft, wird übernommen…</translation>
    </message>
    <message>
        <source>Tar&amp;gets</source>
        <translation>&amp;Ziele</translation>
    </message>
    <message>
        <source>Target</source>
        <translation>Ziel</translation>
    </message>
    <message>
        <source>Target rank</source>
        <translation>Zielrang</translation>
    </message>
    <message>
        <source>Targets</source>
        <translation>Ziele</translation>
    </message>
    <message>
        <source>Task</source>
        <translation>Aufgabe</translation>
    </message>
    <message>
        <source>Temperature</source>
        <translation>Temperatur</translation>
    </message>
    <message>
        <source>Temperature, top-p, seed, stop texts, chat template</source>
        <translation>Temperatur, Top-p, Seed, Stopptexte, Chat-Template</translation>
    </message>
    <message>
        <source>Tensor</source>
        <translation>Tensor</translation>
    </message>
    <message>
        <source>Tensors</source>
        <translation>Tensoren</translation>
    </message>
    <message>
        <source>Tensors at the peak of a step: </source>
        <translation>Tensoren an der Spitze eines Schritts: </translation>
    </message>
    <message>
        <source>Tensors of the checkpoint</source>
        <translation>Tensoren des Checkpoints</translation>
    </message>
    <message>
        <source>Tenths 3 × 3</source>
        <translation>Zehntel 3 × 3</translation>
    </message>
    <message>
        <source>Text classification</source>
        <translation>Textklassifikation</translation>
    </message>
    <message>
        <source>Text ends before the first of them; \n is a new line</source>
        <translation>Der Text endet vor dem ersten davon; \n ist eine neue Zeile</translation>
    </message>
    <message>
        <source>The adapter of step {:,} is saved in {}</source>
        <translation>Der Adapter von Schritt {:,} ist gespeichert in {}</translation>
    </message>
    <message>
        <source>The best learning rate of LoRA is about 10 times that of full training, 15 times in short runs.</source>
        <translation>Die beste Lernrate von LoRA ist etwa das Zehnfache der des vollen Trainings, in kurzen Läufen das 15-Fache.</translation>
    </message>
    <message>
        <source>The best rank-r fit of W_after − W_before in each layer (Eckart–Young), one tensor at a time, so that models larger than memory work. Biases, norms and embeddings that differ are named and left out.</source>
        <translation>Die beste Rang-r-Näherung von W_nachher − W_vorher in jeder Schicht (Eckart–Young), ein Tensor nach dem anderen, sodass Modelle größer als der Speicher gehen. Abweichende Biases, Normen und Embeddings werden genannt und ausgelassen.</translation>
    </message>
    <message>
        <source>The change to learn has exactly four singular values: 4, 2, 1 and 0.5. At rank 2 the loss stands on the Eckart–Young tail; drag the rank to 4 and it falls to zero, to 8 and the surplus stays at zero.</source>
        <translation>Die zu lernende Änderung hat genau vier Singulärwerte: 4, 2, 1 und 0.5. Bei Rang 2 steht der Loss auf dem Eckart–Young-Rest; den Rang auf 4 ziehen, und er fällt auf null; auf 8, und der Überschuss bleibt null.</translation>
    </message>
    <message>
        <source>The current run finishes; no other is started</source>
        <translation>Der aktuelle Lauf wird beendet; kein weiterer beginnt</translation>
    </message>
    <message>
        <source>The current step is finished and the adapter is saved.</source>
        <translation>Der aktuelle Schritt wird beendet und der Adapter gespeichert.</translation>
    </message>
    <message>
        <source>The decomposed matrix</source>
        <translation>Die zerlegte Matrix</translation>
    </message>
    <message>
        <source>The first steps are alike</source>
        <translation>Die ersten Schritte gleichen sich</translation>
    </message>
    <message>
        <source>The first {:,} are opened. Drop the others after them.</source>
        <translation>Die ersten {:,} werden geöffnet. Die anderen bitte danach ablegen.</translation>
    </message>
    <message>
        <source>The head answers, with Ray {} and this version of the lab.</source>
        <translation>Der Head antwortet, mit Ray {} und dieser Version des Labs.</translation>
    </message>
    <message>
        <source>The intrinsic dimension of this task, by random subspaces of growing size</source>
        <translation>Die intrinsische Dimension dieser Aufgabe, durch zufällige Unterräume wachsender Größe</translation>
    </message>
    <message>
        <source>The language is another one from the next start on.</source>
        <translation>Die Sprache wechselt beim nächsten Start.</translation>
    </message>
    <message>
        <source>The largest rate tried that did not raise it is suggested.</source>
        <translation>Die größte versuchte Rate, die ihn nicht erhöhte, wird vorgeschlagen.</translation>
    </message>
    <message>
        <source>The last step, the best by validation loss, or a checkpoint of the run</source>
        <translation>Der letzte Schritt, der beste nach Validierungs-Loss oder ein Checkpoint des Laufs</translation>
    </message>
    <message>
        <source>The layers are known once the model is loaded.</source>
        <translation>Die Schichten sind bekannt, sobald das Modell geladen ist.</translation>
    </message>
    <message>
        <source>The learning rate is lower now. Space resumes.</source>
        <translation>Die Lernrate ist jetzt kleiner. Leertaste setzt fort.</translation>
    </message>
    <message>
        <source>The learning rate starts again at {} and reaches {} in {:,} steps; </source>
        <translation>Die Lernrate beginnt wieder bei {} und erreicht {} in {:,} Schritten; </translation>
    </message>
    <message>
        <source>The learning rate starts again at {}; </source>
        <translation>Die Lernrate beginnt wieder bei {}; </translation>
    </message>
    <message>
        <source>The learning rate stays constant after warm-up</source>
        <translation>Die Lernrate bleibt nach dem Warm-up gleich</translation>
    </message>
    <message>
        <source>The line in the plot, by key</source>
        <translation>Die Linie im Plot, per Taste</translation>
    </message>
    <message>
        <source>The log of the window&apos;s speed ends here: {}.</source>
        <translation>Das Protokoll zur Geschwindigkeit des Fensters endet hier: {}.</translation>
    </message>
    <message>
        <source>The loss did not fall beyond the noise of its batches, so no learning rate is suggested: the adapter has learned what it can here, or the batches are too small to tell.</source>
        <translation>Der Loss fiel nicht über das Rauschen seiner Batches hinaus, daher wird keine Lernrate vorgeschlagen: Der Adapter hat gelernt, was hier zu lernen ist, oder die Batches sind zu klein, um es zu sagen.</translation>
    </message>
    <message>
        <source>The matrix, a row per line</source>
        <translation>Die Matrix, eine Zeile je Zeile</translation>
    </message>
    <message>
        <source>The middle row is the mean of the others, but no tenth is exact in binary.</source>
        <translation>Die mittlere Zeile ist das Mittel der anderen, aber kein Zehntel ist binär exakt.</translation>
    </message>
    <message>
        <source>The new task and the old one, step by step</source>
        <translation>Die neue Aufgabe und die alte, Schritt für Schritt</translation>
    </message>
    <message>
        <source>The numerator of the scaling s = α/r (rsLoRA: α/√r) that multiplies B·A.</source>
        <translation>Der Zähler der Skalierung s = α/r (rsLoRA: α/√r), mit der B·A multipliziert wird.</translation>
    </message>
    <message>
        <source>The page of the handbook (F1)</source>
        <translation>Die Seite des Handbuchs (F1)</translation>
    </message>
    <message>
        <source>The page of the handbook on the SVD</source>
        <translation>Die Seite des Handbuchs über die SVD</translation>
    </message>
    <message>
        <source>The plot clicked last, as PNG, SVG or CSV</source>
        <translation>Den zuletzt angeklickten Plot, als PNG, SVG oder CSV</translation>
    </message>
    <message>
        <source>The plot clicked last, as a picture</source>
        <translation>Den zuletzt angeklickten Plot, als Bild</translation>
    </message>
    <message>
        <source>The plot clicked last: pitch follows its curves; again or Esc stops</source>
        <translation>Der zuletzt angeklickte Plot: Die Tonhöhe folgt seinen Kurven; erneut oder Esc beendet</translation>
    </message>
    <message>
        <source>The queue is empty. Enter values above and add runs.</source>
        <translation>Die Warteschlange ist leer. Oben Werte eingeben und Läufe hinzufügen.</translation>
    </message>
    <message>
        <source>The row as tokens</source>
        <translation>Die Zeile als Token</translation>
    </message>
    <message>
        <source>The run ended at step {:,}.</source>
        <translation>Der Lauf endete bei Schritt {:,}.</translation>
    </message>
    <message>
        <source>The run ends at this step and its adapter is saved.</source>
        <translation>Der Lauf endet bei diesem Schritt, und sein Adapter wird gespeichert.</translation>
    </message>
    <message>
        <source>The run has ended at step {:,}.</source>
        <translation>Der Lauf endete bei Schritt {:,}.</translation>
    </message>
    <message>
        <source>The run is at step {:,}; Resume continues from there.</source>
        <translation>Der Lauf steht bei Schritt {:,}; „Fortsetzen“ macht dort weiter.</translation>
    </message>
    <message>
        <source>The run is in {}</source>
        <translation>Der Lauf ist in {}</translation>
    </message>
    <message>
        <source>The run is not saved. Close the lab?</source>
        <translation>Der Lauf ist nicht gespeichert. Das Lab schließen?</translation>
    </message>
    <message>
        <source>The run that is open is not saved. Open another one?</source>
        <translation>Der offene Lauf ist nicht gespeichert. Einen anderen öffnen?</translation>
    </message>
    <message>
        <source>The run that this message was about is no longer open.</source>
        <translation>Der Lauf, um den es in dieser Meldung ging, ist nicht mehr offen.</translation>
    </message>
    <message>
        <source>The run was saved and could not be moved. It can be resumed.</source>
        <translation>Der Lauf wurde gespeichert und konnte nicht umziehen. Er lässt sich fortsetzen.</translation>
    </message>
    <message>
        <source>The run was stopped and saved at step {:,}.</source>
        <translation>Der Lauf wurde bei Schritt {:,} beendet und gespeichert.</translation>
    </message>
    <message>
        <source>The same base, the same batches: which rank is enough?</source>
        <translation>Dieselbe Basis, dieselben Batches: welcher Rang genügt?</translation>
    </message>
    <message>
        <source>The same draws with the adapter off and on</source>
        <translation>Dieselben Ziehungen mit Adapter aus und an</translation>
    </message>
    <message>
        <source>The same net, and the pixels of all digits in another order: hardly anything of it is of use, and ΔW needs many directions. A small rank is not enough here.</source>
        <translation>Dasselbe Netz, und die Pixel aller Ziffern in anderer Reihenfolge: kaum etwas davon ist noch zu gebrauchen, und ΔW braucht viele Richtungen. Ein kleiner Rang genügt hier nicht.</translation>
    </message>
    <message>
        <source>The scale decides</source>
        <translation>Die Skalierung entscheidet</translation>
    </message>
    <message>
        <source>The scaling that multiplies B·A</source>
        <translation>Die Skalierung, mit der B·A multipliziert wird</translation>
    </message>
    <message>
        <source>The scaling that multiplies B·A: ΔW = s · B·A. It follows rank and α.</source>
        <translation>Die Skalierung, mit der B·A multipliziert wird: ΔW = s · B·A. Sie folgt Rang und α.</translation>
    </message>
    <message>
        <source>The second row is twice the first, so only two rows are independent.</source>
        <translation>Die zweite Zeile ist das Doppelte der ersten, also sind nur zwei Zeilen unabhängig.</translation>
    </message>
    <message>
        <source>The stable rank lags behind</source>
        <translation>Der stabile Rang bleibt zurück</translation>
    </message>
    <message>
        <source>The stable rank ‖ΔW‖²/σ₁² of a change of rank r grows as r^β with β far below 1.</source>
        <translation>Der stabile Rang ‖ΔW‖²/σ₁² einer Änderung vom Rang r wächst wie r^β mit β weit unter 1.</translation>
    </message>
    <message>
        <source>The sweep {} has ended: {}.</source>
        <translation>Der Sweep {} ist zu Ende: {}.</translation>
    </message>
    <message>
        <source>The weights take {} as {}; {} are free here</source>
        <translation>Die Gewichte brauchen {} als {}; {} sind hier frei</translation>
    </message>
    <message>
        <source>Theme</source>
        <translation>Farbschema</translation>
    </message>
    <message>
        <source>There is already an adapter. Replace it?</source>
        <translation>Dort ist schon ein Adapter. Ersetzen?</translation>
    </message>
    <message>
        <source>There is no model in the cache of this machine.</source>
        <translation>Im Cache dieses Rechners ist kein Modell.</translation>
    </message>
    <message>
        <source>These data have no epochs: their rows are drawn without end.</source>
        <translation>Diese Daten haben keine Epochen: Ihre Zeilen werden ohne Ende gezogen.</translation>
    </message>
    <message>
        <source>This checkpoint has no chat template</source>
        <translation>Dieser Checkpoint hat kein Chat-Template</translation>
    </message>
    <message>
        <source>This computer</source>
        <translation>Dieser Rechner</translation>
    </message>
    <message>
        <source>This machine</source>
        <translation>Diese Maschine</translation>
    </message>
    <message>
        <source>This run has ended. Restart, then export.</source>
        <translation>Dieser Lauf ist beendet. Neu starten, dann exportieren.</translation>
    </message>
    <message>
        <source>This run has ended. Restart, then try again.</source>
        <translation>Dieser Lauf ist beendet. Neu starten, dann erneut versuchen.</translation>
    </message>
    <message>
        <source>This run takes about {} more. It can train without the window, which may then be closed.</source>
        <translation>Dieser Lauf braucht noch etwa {}. Er kann ohne das Fenster trainieren, das dann geschlossen werden darf.</translation>
    </message>
    <message>
        <source>Tick at least one layer.</source>
        <translation>Mindestens eine Schicht ankreuzen.</translation>
    </message>
    <message>
        <source>Tick at least one module: nothing would train.</source>
        <translation>Mindestens ein Modul ankreuzen: Sonst würde nichts trainiert.</translation>
    </message>
    <message>
        <source>Tick what is &amp;found</source>
        <translation>&amp;Gefundenes ankreuzen</translation>
    </message>
    <message>
        <source>Ticked: it has an adapter. Changes apply on Restart</source>
        <translation>Angekreuzt: hat einen Adapter. Änderungen gelten beim Neustart</translation>
    </message>
    <message>
        <source>Ticked: its curves are drawn behind those of the open run</source>
        <translation>Angekreuzt: Seine Kurven liegen hinter denen des offenen Laufs</translation>
    </message>
    <message>
        <source>Ties</source>
        <translation>Gekoppelte Gewichte</translation>
    </message>
    <message>
        <source>Time</source>
        <translation>Zeit</translation>
    </message>
    <message>
        <source>Time left</source>
        <translation>Restzeit</translation>
    </message>
    <message>
        <source>To use it</source>
        <translation>So benutzen</translation>
    </message>
    <message>
        <source>Token budget: tokens of a step, with padding, at most (sources and targets each); it has as many examples as fit, in place of the batch. A longer row is a step by itself. 0: the batch counts examples.</source>
        <translation>Token-Budget: höchstens so viele Tokens je Schritt, mit Padding (Quellen und Ziele je für sich); er hat so viele Beispiele, wie hineinpassen, anstelle des Batches. Eine längere Zeile ist ein Schritt für sich. 0: der Batch zählt Beispiele.</translation>
    </message>
    <message>
        <source>Token classification</source>
        <translation>Tokenklassifikation</translation>
    </message>
    <message>
        <source>Tokens per row</source>
        <translation>Token je Zeile</translation>
    </message>
    <message>
        <source>Tokens per second</source>
        <translation>Token pro Sekunde</translation>
    </message>
    <message>
        <source>Tokens that a row is truncated to.</source>
        <translation>Token, auf die eine Zeile gekürzt wird.</translation>
    </message>
    <message>
        <source>Top-&amp;k</source>
        <translation>Top-&amp;k</translation>
    </message>
    <message>
        <source>Top-k directions of each layer</source>
        <translation>Top-k-Richtungen jeder Schicht</translation>
    </message>
    <message>
        <source>Top-p</source>
        <translation>Top-p</translation>
    </message>
    <message>
        <source>Tr&amp;ials</source>
        <translation>&amp;Versuche</translation>
    </message>
    <message>
        <source>Train</source>
        <translation>Trainieren</translation>
    </message>
    <message>
        <source>Train without it; “Evaluate now” measures it later</source>
        <translation>Ohne ihn trainieren; „Jetzt auswerten“ misst ihn später</translation>
    </message>
    <message>
        <source>Train, pause or resume</source>
        <translation>Trainieren, anhalten oder fortsetzen</translation>
    </message>
    <message>
        <source>Trainable</source>
        <translation>Trainierbar</translation>
    </message>
    <message>
        <source>Trainable adapter parameters</source>
        <translation>Trainierbare Adapterparameter</translation>
    </message>
    <message>
        <source>Trained: {}</source>
        <translation>Trainiert: {}</translation>
    </message>
    <message>
        <source>Training</source>
        <translation>Training</translation>
    </message>
    <message>
        <source>Training continues from it on the model and data that are open, as a new run; the workshop inspects, resizes, converts and merges it.</source>
        <translation>Das Training setzt auf dem offenen Modell und den offenen Daten von ihm aus fort, als neuer Lauf; die Werkstatt inspiziert, kürzt, konvertiert und merget ihn.</translation>
    </message>
    <message>
        <source>Training data</source>
        <translation>Trainingsdaten</translation>
    </message>
    <message>
        <source>Training each method at growing size…</source>
        <translation>Jedes Verfahren wird in wachsender Größe trainiert…</translation>
    </message>
    <message>
        <source>Training is running. Close the lab?</source>
        <translation>Das Training läuft. Das Lab schließen?</translation>
    </message>
    <message>
        <source>Training is running. Open anyway?</source>
        <translation>Das Training läuft. Trotzdem öffnen?</translation>
    </message>
    <message>
        <source>Training is running. Restart anyway?</source>
        <translation>Das Training läuft. Trotzdem neu starten?</translation>
    </message>
    <message>
        <source>Training loss</source>
        <translation>Trainings-Loss</translation>
    </message>
    <message>
        <source>Training random subspaces of growing size…</source>
        <translation>Zufällige Unterräume wachsender Größe werden trainiert…</translation>
    </message>
    <message>
        <source>Trials</source>
        <translation>Versuche</translation>
    </message>
    <message>
        <source>Triangle 60 × 60</source>
        <translation>Dreieck 60 × 60</translation>
    </message>
    <message>
        <source>Truncating layers</source>
        <translation>Schichten werden gekürzt</translation>
    </message>
    <message>
        <source>Try rising learning rates for some steps, then restore everything</source>
        <translation>Einige Schritte lang steigende Lernraten versuchen, dann alles wiederherstellen</translation>
    </message>
    <message>
        <source>Try rising learning rates, then restore everything</source>
        <translation>Steigende Lernraten versuchen, dann alles wiederherstellen</translation>
    </message>
    <message>
        <source>Trying rising learning rates with {}, on the run’s own rows. Training is paused meanwhile; afterwards everything is restored.</source>
        <translation>Steigende Lernraten werden mit {} versucht, auf den eigenen Zeilen des Laufs. Das Training pausiert solange; danach wird alles wiederhergestellt.</translation>
    </message>
    <message>
        <source>Trying the longest row</source>
        <translation>Die längste Zeile wird versucht</translation>
    </message>
    <message>
        <source>Two rules of thumb; a short trial cannot predict a long run.</source>
        <translation>Zwei Faustregeln; ein kurzer Versuch kann einen langen Lauf nicht vorhersagen.</translation>
    </message>
    <message>
        <source>Type</source>
        <translation>Typ</translation>
    </message>
    <message>
        <source>UCI digits, 8 × 8 (ship with the lab)</source>
        <translation>UCI-Ziffern, 8 × 8 (beim Lab dabei)</translation>
    </message>
    <message>
        <source>Undo</source>
        <translation>Rückgängig</translation>
    </message>
    <message>
        <source>Unpacked to floats of the dtype, a .gguf as well</source>
        <translation>Entpackt zu Gleitkommazahlen des dtype, auch eine .gguf</translation>
    </message>
    <message>
        <source>Unpacking the run</source>
        <translation>Lauf wird entpackt</translation>
    </message>
    <message>
        <source>Unticked: ΔW is frozen, but still applied</source>
        <translation>Nicht angekreuzt: ΔW ist eingefroren, gilt aber weiter</translation>
    </message>
    <message>
        <source>Update / weight</source>
        <translation>Update / Gewicht</translation>
    </message>
    <message>
        <source>Use the &amp;default rank</source>
        <translation>&amp;Standardrang benutzen</translation>
    </message>
    <message>
        <source>Use {:,}</source>
        <translation>{:,} benutzen</translation>
    </message>
    <message>
        <source>Use {}</source>
        <translation>{} benutzen</translation>
    </message>
    <message>
        <source>Validation</source>
        <translation>Validierung</translation>
    </message>
    <message>
        <source>Validation &amp;loss</source>
        <translation>Validierungs-&amp;Loss</translation>
    </message>
    <message>
        <source>Validation &amp;loss here</source>
        <translation>Validierungs-&amp;Loss hier</translation>
    </message>
    <message>
        <source>Validation images that the model misclassifies</source>
        <translation>Validierungsbilder, die das Modell falsch klassifiziert</translation>
    </message>
    <message>
        <source>Validation images, true class → predicted, {} at step {:,}; the surest mistakes of each class first.</source>
        <translation>Validierungsbilder, wahre Klasse → vorhergesagt, {} bei Schritt {:,}; die sichersten Fehler jeder Klasse zuerst.</translation>
    </message>
    <message>
        <source>Validation loss</source>
        <translation>Validierungs-Loss</translation>
    </message>
    <message>
        <source>Validation loss of the highest rank&apos;s ΔW, cut to the rank of this lane</source>
        <translation>Validierungsverlust des ΔW vom höchsten Rang, auf den Rang dieser Bahn gekürzt</translation>
    </message>
    <message>
        <source>Validation loss {} off, {} on</source>
        <translation>Validierungs-Loss {} aus, {} an</translation>
    </message>
    <message>
        <source>Validation loss {}.</source>
        <translation>Validierungsverlust {}.</translation>
    </message>
    <message>
        <source>Validation loss, adapter off and on</source>
        <translation>Validierungs-Loss, Adapter aus und an</translation>
    </message>
    <message>
        <source>Validation loss, adapter on</source>
        <translation>Validierungs-Loss, Adapter an</translation>
    </message>
    <message>
        <source>Validation loss, off → on</source>
        <translation>Validierungs-Loss, aus → an</translation>
    </message>
    <message>
        <source>Validation split: share of the rows held out, by the data seed.</source>
        <translation>Validierungsanteil: Anteil der zurückgehaltenen Zeilen, nach dem Daten-Seed.</translation>
    </message>
    <message>
        <source>Values of α</source>
        <translation>Werte von α</translation>
    </message>
    <message>
        <source>Values separated by commas: 1, 2, 4, 8</source>
        <translation>Werte durch Komma getrennt: 1, 2, 4, 8</translation>
    </message>
    <message>
        <source>Values separated by commas: 1e-3, 3e-3</source>
        <translation>Werte durch Komma getrennt: 1e-3, 3e-3</translation>
    </message>
    <message>
        <source>Values under the pointer</source>
        <translation>Werte unter dem Zeiger</translation>
    </message>
    <message>
        <source>Values, or multiples of the rank: 16, r, 2r</source>
        <translation>Werte oder Vielfache des Rangs: 16, r, 2r</translation>
    </message>
    <message>
        <source>Variants tie once tuned</source>
        <translation>Abgestimmt liegen die Varianten gleichauf</translation>
    </message>
    <message>
        <source>VeRA</source>
        <translation>VeRA</translation>
    </message>
    <message>
        <source>VeRA has no scaling: its vectors d and b are all that is trained</source>
        <translation>VeRA hat keine Skalierung: trainiert werden nur seine Vektoren d und b</translation>
    </message>
    <message>
        <source>W is {}. Of its {} singular values the first {} are kept; largest error {}.</source>
        <translation>W ist {}. Von seinen {} Singulärwerten bleiben die ersten {}; größter Fehler {}.</translation>
    </message>
    <message>
        <source>W, its factors U, Σ and Vᵀ, and the matrix of rank k</source>
        <translation>W, seine Faktoren U, Σ und Vᵀ und die Matrix vom Rang k</translation>
    </message>
    <message>
        <source>Waiting for the current step</source>
        <translation>Warten auf den aktuellen Schritt</translation>
    </message>
    <message>
        <source>Warning: {}</source>
        <translation>Warnung: {}</translation>
    </message>
    <message>
        <source>Weight decay</source>
        <translation>Weight Decay</translation>
    </message>
    <message>
        <source>Weight of adapter {}</source>
        <translation>Gewicht von Adapter {}</translation>
    </message>
    <message>
        <source>Weighting</source>
        <translation>Gewichtung</translation>
    </message>
    <message>
        <source>Weights to start from</source>
        <translation>Ausgangsgewichte</translation>
    </message>
    <message>
        <source>What LoRA can learn by heart is bounded by its numbers, about 2 bits for each, and grows with the rank.</source>
        <translation>Was LoRA auswendig lernen kann, ist durch seine Zahlen begrenzt, etwa 2 Bit je Zahl, und wächst mit dem Rang.</translation>
    </message>
    <message>
        <source>What W + ΔW would lose of ΔW, by dtype</source>
        <translation>Was W + ΔW von ΔW verlöre, je dtype</translation>
    </message>
    <message>
        <source>What a row counts in a classifier&apos;s loss: balanced, n/(k·n_c) for a class with n_c of n rows, lets rare classes count as much. The validation loss is the plain one.</source>
        <translation>Wie viel eine Zeile im Loss eines Klassifikators zählt: balanced, n/(k·n_c) für eine Klasse mit n_c von n Zeilen, lässt seltene Klassen gleich viel zählen. Der Validierungs-Loss ist der unveränderte.</translation>
    </message>
    <message>
        <source>What did LoRA find?</source>
        <translation>Was hat LoRA gefunden?</translation>
    </message>
    <message>
        <source>What did LoRA find?…</source>
        <translation>Was hat LoRA gefunden?…</translation>
    </message>
    <message>
        <source>What each direction writes and what excites it</source>
        <translation>Was jede Richtung schreibt und was sie anregt</translation>
    </message>
    <message>
        <source>What is typed here is written nowhere, and gone with the window</source>
        <translation>Was hier getippt wird, wird nirgends aufgeschrieben und ist mit dem Fenster weg</translation>
    </message>
    <message>
        <source>What papers claim of LoRA, tried on this model, with a verdict each</source>
        <translation>Was Arbeiten über LoRA behaupten, an diesem Modell erprobt, je mit einem Urteil</translation>
    </message>
    <message>
        <source>What stays when the rank moves. With α kept, s = α/r falls as the rank rises.</source>
        <translation>Was bleibt, wenn der Rang sich ändert. Mit gleichem α fällt s = α/r, wenn der Rang steigt.</translation>
    </message>
    <message>
        <source>What the matrix is</source>
        <translation>Was die Matrix ist</translation>
    </message>
    <message>
        <source>What the prompt is</source>
        <translation>Was der Prompt ist</translation>
    </message>
    <message>
        <source>What the rows are</source>
        <translation>Was die Zeilen sind</translation>
    </message>
    <message>
        <source>What the run shows</source>
        <translation>Was der Lauf zeigt</translation>
    </message>
    <message>
        <source>What the settings account for</source>
        <translation>Was die Einstellungen ausmachen</translation>
    </message>
    <message>
        <source>What the singular values of a layer hint at, and the loss at a clip</source>
        <translation>Worauf die Singulärwerte einer Schicht hinweisen, und der Loss bei einer Begrenzung</translation>
    </message>
    <message>
        <source>When the rank moves: {}</source>
        <translation>Wenn der Rang sich ändert: {}</translation>
    </message>
    <message>
        <source>Where embedding and head share one weight, a merge would change both. Untied, each has a weight of its own in the merged checkpoint.</source>
        <translation>Wo Embedding und Kopf ein Gewicht teilen, würde ein Merge beide ändern. Getrennt hat jeder im zusammengeführten Checkpoint sein eigenes.</translation>
    </message>
    <message>
        <source>Where the waiting runs are trained</source>
        <translation>Wo die wartenden Läufe trainiert werden</translation>
    </message>
    <message>
        <source>Where to export to</source>
        <translation>Wohin exportiert wird</translation>
    </message>
    <message>
        <source>Where to write</source>
        <translation>Wohin geschrieben wird</translation>
    </message>
    <message>
        <source>Whether Before/After and validation see W + ΔW or W alone</source>
        <translation>Ob Vorher/Nachher und Validierung W + ΔW sehen oder W allein</translation>
    </message>
    <message>
        <source>Whether the d numbers of a random subspace move all tensors by one projection.</source>
        <translation>Ob die d Zahlen eines zufälligen Unterraums alle Tensoren durch eine Projektion bewegen.</translation>
    </message>
    <message>
        <source>Which &amp;layers</source>
        <translation>Welche &amp;Schichten</translation>
    </message>
    <message>
        <source>Which class was predicted for which</source>
        <translation>Welche Klasse für welche vorhergesagt wurde</translation>
    </message>
    <message>
        <source>Which layers, which rank, and which directions does ΔW use?</source>
        <translation>Welche Schichten, welchen Rang und welche Richtungen nutzt ΔW?</translation>
    </message>
    <message>
        <source>Which layers, which rank, which directions: LoRA&apos;s section 7 on this model</source>
        <translation>Welche Schichten, welcher Rang, welche Richtungen: LoRAs Abschnitt 7 an diesem Modell</translation>
    </message>
    <message>
        <source>Which part of a diffusion pipeline the adapter is of, where names say none</source>
        <translation>Zu welchem Teil einer Diffusions-Pipeline der Adapter gehört, wo die Namen es nicht sagen</translation>
    </message>
    <message>
        <source>Which ran&amp;k</source>
        <translation>Welcher &amp;Rang</translation>
    </message>
    <message>
        <source>Which runs are ended before their last step</source>
        <translation>Welche Läufe vor ihrem letzten Schritt beendet werden</translation>
    </message>
    <message>
        <source>With s = α/r fixed instead, the best learning rate falls as the rank rises.</source>
        <translation>Ist stattdessen s = α/r fest, so fällt die beste Lernrate mit steigendem Rang.</translation>
    </message>
    <message>
        <source>With α fixed, the best learning rate hardly changes with the rank.</source>
        <translation>Bei festem α ändert sich die beste Lernrate mit dem Rang kaum.</translation>
    </message>
    <message>
        <source>Without regret</source>
        <translation>Ohne Reue</translation>
    </message>
    <message>
        <source>Without regret…</source>
        <translation>Ohne Reue…</translation>
    </message>
    <message>
        <source>Worst class</source>
        <translation>Schlechteste Klasse</translation>
    </message>
    <message>
        <source>Worst layer</source>
        <translation>Schlechteste Schicht</translation>
    </message>
    <message>
        <source>Write a note…</source>
        <translation>Notiz schreiben…</translation>
    </message>
    <message>
        <source>Write a prompt, or choose one</source>
        <translation>Einen Prompt schreiben oder wählen</translation>
    </message>
    <message>
        <source>Write the adapter for PEFT, ComfyUI, diffusers or llama.cpp</source>
        <translation>Den Adapter für PEFT, ComfyUI, diffusers oder llama.cpp schreiben</translation>
    </message>
    <message>
        <source>Writing rows</source>
        <translation>Zeilen werden geschrieben</translation>
    </message>
    <message>
        <source>Writing {}</source>
        <translation>{} wird geschrieben</translation>
    </message>
    <message>
        <source>Written and re-read: the base model with ΔW merged in.</source>
        <translation>Geschrieben und zurückgelesen: das Basismodell mit ΔW darin.</translation>
    </message>
    <message>
        <source>Written to {}</source>
        <translation>Geschrieben nach {}</translation>
    </message>
    <message>
        <source>Written, re-read, and equal to the trained adapter.</source>
        <translation>Geschrieben, zurückgelesen und gleich dem trainierten Adapter.</translation>
    </message>
    <message>
        <source>Wrote {} ({})</source>
        <translation>{} geschrieben ({})</translation>
    </message>
    <message>
        <source>W′ = W + P·θ, d numbers for all layers. Li et al. 2018, Aghajanyan et al. 2020</source>
        <translation>W′ = W + P·θ, d Zahlen für alle Schichten. Li et al. 2018, Aghajanyan et al. 2020</translation>
    </message>
    <message>
        <source>W′ = m ∘ V/‖V‖, V = W + (α/r)·B·A. Liu et al. 2024, arXiv 2402.09353</source>
        <translation>W′ = m ∘ V/‖V‖, V = W + (α/r)·B·A. Liu et al. 2024, arXiv 2402.09353</translation>
    </message>
    <message>
        <source>X is that of W{}, not of W: the first misses what was cut.</source>
        <translation>X ist die von W{}, nicht von W: Die erste Bedingung verfehlt, was abgeschnitten wurde.</translation>
    </message>
    <message>
        <source>Zip (*.zip)</source>
        <translation>Zip (*.zip)</translation>
    </message>
    <message>
        <source>a PEFT folder, a run, or a file of kohya, diffusers, GGUF, loralib, MLX</source>
        <translation>ein PEFT-Ordner, ein Lauf oder eine Datei von kohya, diffusers, GGUF, loralib, MLX</translation>
    </message>
    <message>
        <source>a factor of 10 to 15 at widths of thousands; less in narrow nets, since the best rate of full training falls with the width and LoRA&apos;s stays</source>
        <translation>ein Faktor von 10 bis 15 bei Breiten von Tausenden; weniger in schmalen Netzen, da die beste Rate des vollen Trainings mit der Breite fällt und die von LoRA bleibt</translation>
    </message>
    <message>
        <source>a file, as adapter{}</source>
        <translation>eine Datei, etwa adapter{}</translation>
    </message>
    <message>
        <source>a folder with a folder of images per class, or IDX</source>
        <translation>einen Ordner mit einem Bilderordner je Klasse, oder IDX</translation>
    </message>
    <message>
        <source>a folder with the four IDX files of MNIST</source>
        <translation>einen Ordner mit den vier IDX-Dateien von MNIST</translation>
    </message>
    <message>
        <source>a model, an adapter, rows or images to learn from, a run</source>
        <translation>ein Modell, einen Adapter, Zeilen oder Bilder zum Lernen, einen Lauf</translation>
    </message>
    <message>
        <source>a new folder</source>
        <translation>ein neuer Ordner</translation>
    </message>
    <message>
        <source>a random subspace has a dimension d, and no rank</source>
        <translation>ein zufälliger Unterraum hat eine Dimension d und keinen Rang</translation>
    </message>
    <message>
        <source>a random subspace has no adapter path to drop</source>
        <translation>ein zufälliger Unterraum hat keinen Adapterpfad für Dropout</translation>
    </message>
    <message>
        <source>a random subspace has no scaling</source>
        <translation>ein zufälliger Unterraum hat keine Skalierung</translation>
    </message>
    <message>
        <source>a single number: σ₁ is its size</source>
        <translation>eine einzige Zahl: σ₁ ist ihr Betrag</translation>
    </message>
    <message>
        <source>a third of the learning rate at the lowest point</source>
        <translation>ein Drittel der Lernrate am tiefsten Punkt</translation>
    </message>
    <message>
        <source>aborted</source>
        <translation>abgebrochen</translation>
    </message>
    <message>
        <source>about {}</source>
        <translation>etwa {}</translation>
    </message>
    <message>
        <source>accumulation</source>
        <translation>Akkumulation</translation>
    </message>
    <message>
        <source>accuracy</source>
        <translation>Genauigkeit</translation>
    </message>
    <message>
        <source>accuracy {}</source>
        <translation>Genauigkeit {}</translation>
    </message>
    <message>
        <source>activations {}</source>
        <translation>Aktivierungen {}</translation>
    </message>
    <message>
        <source>adapter</source>
        <translation>Adapter</translation>
    </message>
    <message>
        <source>adapter off</source>
        <translation>Adapter aus</translation>
    </message>
    <message>
        <source>adapter on</source>
        <translation>Adapter an</translation>
    </message>
    <message>
        <source>adapter to continue</source>
        <translation>fortgesetzter Adapter</translation>
    </message>
    <message>
        <source>agrees</source>
        <translation>stimmt überein</translation>
    </message>
    <message>
        <source>all classes ({:,} wrong)</source>
        <translation>alle Klassen ({:,} falsch)</translation>
    </message>
    <message>
        <source>all layers</source>
        <translation>alle Schichten</translation>
    </message>
    <message>
        <source>all layers share θ; leave a layer out of the targets</source>
        <translation>alle Schichten teilen θ; eine Schicht bleibt aus, wenn sie kein Ziel ist</translation>
    </message>
    <message>
        <source>all linear</source>
        <translation>alle linearen</translation>
    </message>
    <message>
        <source>all linear · {}</source>
        <translation>alle linearen · {}</translation>
    </message>
    <message>
        <source>all linear: {} of {}</source>
        <translation>alle linearen: {} von {}</translation>
    </message>
    <message>
        <source>all of it</source>
        <translation>alles</translation>
    </message>
    <message>
        <source>alpha</source>
        <translation>Alpha</translation>
    </message>
    <message>
        <source>applied r = {}: {:,}</source>
        <translation>angewandt r = {}: {:,}</translation>
    </message>
    <message>
        <source>applied {:,}</source>
        <translation>angewandt {:,}</translation>
    </message>
    <message>
        <source>applied {:.4g}</source>
        <translation>angewandt {:.4g}</translation>
    </message>
    <message>
        <source>applied {}</source>
        <translation>angewandt {}</translation>
    </message>
    <message>
        <source>arXiv 2602.04998, 2602.09492</source>
        <translation>arXiv 2602.04998, 2602.09492</translation>
    </message>
    <message>
        <source>as begun</source>
        <translation>wie begonnen</translation>
    </message>
    <message>
        <source>at each validation</source>
        <translation>bei jeder Validierung</translation>
    </message>
    <message>
        <source>at the start</source>
        <translation>am Anfang</translation>
    </message>
    <message>
        <source>at the start: no directions, ΔW is 0</source>
        <translation>zu Beginn: keine Richtungen, ΔW ist 0</translation>
    </message>
    <message>
        <source>autosave seconds</source>
        <translation>Autosave-Sekunden</translation>
    </message>
    <message>
        <source>base model (validation)</source>
        <translation>Basismodell (Validierung)</translation>
    </message>
    <message>
        <source>base model: for DoRA, and for adapters of two programs</source>
        <translation>Basismodell: für DoRA und für Adapter zweier Programme</translation>
    </message>
    <message>
        <source>base {}</source>
        <translation>Basis {}</translation>
    </message>
    <message>
        <source>batch size</source>
        <translation>Batchgröße</translation>
    </message>
    <message>
        <source>batch tokens</source>
        <translation>Tokens je Batch</translation>
    </message>
    <message>
        <source>batching</source>
        <translation>Batching</translation>
    </message>
    <message>
        <source>before an edit</source>
        <translation>vor einer Änderung</translation>
    </message>
    <message>
        <source>best</source>
        <translation>bester</translation>
    </message>
    <message>
        <source>best for its size</source>
        <translation>bester seiner Größe</translation>
    </message>
    <message>
        <source>best, step {:,}</source>
        <translation>bester, Schritt {:,}</translation>
    </message>
    <message>
        <source>betas</source>
        <translation>Betas</translation>
    </message>
    <message>
        <source>bits of random labels stored grow with the rank, 0.6 to 0.9 for each number in a run of some thousand steps, never above 2</source>
        <translation>die gespeicherten Bits zufälliger Labels wachsen mit dem Rang, 0,6 bis 0,9 je Zahl in einem Lauf von einigen tausend Schritten, nie über 2</translation>
    </message>
    <message>
        <source>bits of the base</source>
        <translation>Bits der Basis</translation>
    </message>
    <message>
        <source>bucketed: rows of similar length together. packed: rows end to end up to the max length. shuffled: in random order.</source>
        <translation>bucketed: Zeilen ähnlicher Länge zusammen. packed: Zeilen aneinandergereiht bis zur max. Länge. shuffled: in zufälliger Reihenfolge.</translation>
    </message>
    <message>
        <source>by accuracy</source>
        <translation>nach Genauigkeit</translation>
    </message>
    <message>
        <source>by chance: max(i, j)/n</source>
        <translation>zufällig: max(i, j)/n</translation>
    </message>
    <message>
        <source>by elimination</source>
        <translation>durch Elimination</translation>
    </message>
    <message>
        <source>by the validation loss</source>
        <translation>nach Validierungs-Loss</translation>
    </message>
    <message>
        <source>by σ</source>
        <translation>nach σ</translation>
    </message>
    <message>
        <source>cannot be adapted</source>
        <translation>kann nicht adaptiert werden</translation>
    </message>
    <message>
        <source>cat: factors side by side, rank Σr</source>
        <translation>cat: Faktoren nebeneinander, Rang Σr</translation>
    </message>
    <message>
        <source>chat template</source>
        <translation>Chat-Template</translation>
    </message>
    <message>
        <source>chats about images, or an image, a prompt and a completion: JSONL, Parquet</source>
        <translation>Chats über Bilder, oder ein Bild, ein Prompt und eine Antwort: JSONL, Parquet</translation>
    </message>
    <message>
        <source>checkpointing</source>
        <translation>Checkpointing</translation>
    </message>
    <message>
        <source>class weights</source>
        <translation>Klassengewichte</translation>
    </message>
    <message>
        <source>class {} only ({} of {})</source>
        <translation>nur Klasse {} ({} von {})</translation>
    </message>
    <message>
        <source>classes</source>
        <translation>Klassen</translation>
    </message>
    <message>
        <source>classes {} only ({} of {})</source>
        <translation>nur Klassen {} ({} von {})</translation>
    </message>
    <message>
        <source>closed</source>
        <translation>geschlossen</translation>
    </message>
    <message>
        <source>columns</source>
        <translation>Spalten</translation>
    </message>
    <message>
        <source>common</source>
        <translation>gemeinsam</translation>
    </message>
    <message>
        <source>component: as named</source>
        <translation>Komponente: wie benannt</translation>
    </message>
    <message>
        <source>confusion</source>
        <translation>Verwechslungen</translation>
    </message>
    <message>
        <source>correct</source>
        <translation>richtig</translation>
    </message>
    <message>
        <source>current LR {} × gradient</source>
        <translation>aktuelle LR {} × Gradient</translation>
    </message>
    <message>
        <source>current LR {} ≈ step per number</source>
        <translation>aktuelle LR {} ≈ Schritt je Zahl</translation>
    </message>
    <message>
        <source>current LR {} ≈ step per weight</source>
        <translation>aktuelle LR {} ≈ Schritt je Gewicht</translation>
    </message>
    <message>
        <source>current: {}</source>
        <translation>aktuell: {}</translation>
    </message>
    <message>
        <source>cut</source>
        <translation>abgeschnitten</translation>
    </message>
    <message>
        <source>d</source>
        <translation>d</translation>
    </message>
    <message>
        <source>damaged</source>
        <translation>beschädigt</translation>
    </message>
    <message>
        <source>dare-linear: entries of each ΔW dropped at random, sum</source>
        <translation>dare-linear: Einträge jedes ΔW zufällig verworfen, Summe</translation>
    </message>
    <message>
        <source>dare-ties: dropped at random, mean of the majority&apos;s sign</source>
        <translation>dare-ties: zufällig verworfen, Mittel des Vorzeichens der Mehrheit</translation>
    </message>
    <message>
        <source>data</source>
        <translation>Daten</translation>
    </message>
    <message>
        <source>data seed</source>
        <translation>Daten-Seed</translation>
    </message>
    <message>
        <source>default rank, {} at most</source>
        <translation>Standardrang, höchstens {}</translation>
    </message>
    <message>
        <source>density </source>
        <translation>Dichte </translation>
    </message>
    <message>
        <source>device</source>
        <translation>Gerät</translation>
    </message>
    <message>
        <source>diff</source>
        <translation>Diff</translation>
    </message>
    <message>
        <source>differs here</source>
        <translation>hier anders</translation>
    </message>
    <message>
        <source>digits</source>
        <translation>Ziffern</translation>
    </message>
    <message>
        <source>dimension</source>
        <translation>Dimension</translation>
    </message>
    <message>
        <source>directions of the first</source>
        <translation>Richtungen des ersten</translation>
    </message>
    <message>
        <source>discarded {} of the energy at step {:,}</source>
        <translation>{} der Energie bei Schritt {:,} verworfen</translation>
    </message>
    <message>
        <source>discarded {} of {} at step {:,}</source>
        <translation>{} {} verworfen, Schritt {:,}</translation>
    </message>
    <message>
        <source>does not hold</source>
        <translation>gilt nicht</translation>
    </message>
    <message>
        <source>done</source>
        <translation>fertig</translation>
    </message>
    <message>
        <source>doubling keeps ΔW exactly</source>
        <translation>Verdoppeln behält ΔW genau</translation>
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
        <translation>verwirft die kleinsten Richtungen von s·B·A; die verlorene Energie steht danach hier</translation>
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
        <translation>dtype des Basismodells</translation>
    </message>
    <message>
        <source>dtype of the base model. Adapters on half precision stay in float32.</source>
        <translation>dtype des Basismodells. Adapter auf halber Genauigkeit bleiben in float32.</translation>
    </message>
    <message>
        <source>dtype of the factors; what the cast loses is reported</source>
        <translation>dtype der Faktoren; was die Umwandlung verliert, steht im Bericht</translation>
    </message>
    <message>
        <source>each combination of the values is one run</source>
        <translation>jede Kombination der Werte ist ein Lauf</translation>
    </message>
    <message>
        <source>each: σ₁ to {}, {} to {}</source>
        <translation>jeweils: σ₁ bis {}, {} bis {}</translation>
    </message>
    <message>
        <source>each: σ₁ to {}, {} to {}, log scale</source>
        <translation>jeweils: σ₁ bis {}, {} bis {}, logarithmisch</translation>
    </message>
    <message>
        <source>earlier checkpoint</source>
        <translation>früherer Checkpoint</translation>
    </message>
    <message>
        <source>easy: the 9s beside the other digits</source>
        <translation>leicht: die Neunen neben den anderen Ziffern</translation>
    </message>
    <message>
        <source>effective rank {:.3g}, from {:.3g} at step {:,}</source>
        <translation>effektiver Rang {:.3g}, vorher {:.3g} bei Schritt {:,}</translation>
    </message>
    <message>
        <source>ends a run that is worse than half of the earlier ones by then</source>
        <translation>beendet einen Lauf, der schlechter ist als die Hälfte der früheren an dieser Stelle</translation>
    </message>
    <message>
        <source>ends no run</source>
        <translation>beendet keinen Lauf</translation>
    </message>
    <message>
        <source>energy discarded, %</source>
        <translation>verworfene Energie, %</translation>
    </message>
    <message>
        <source>energy kept</source>
        <translation>behaltene Energie</translation>
    </message>
    <message>
        <source>energy kept, %</source>
        <translation>behaltene Energie, %</translation>
    </message>
    <message>
        <source>energy kept: {} of Σσ²</source>
        <translation>behaltene Energie: {} von Σσ²</translation>
    </message>
    <message>
        <source>energy: none in a zero matrix</source>
        <translation>Energie: keine in einer Nullmatrix</translation>
    </message>
    <message>
        <source>epoch</source>
        <translation>Epoche</translation>
    </message>
    <message>
        <source>epochs</source>
        <translation>Epochen</translation>
    </message>
    <message>
        <source>eps</source>
        <translation>eps</translation>
    </message>
    <message>
        <source>eval steps</source>
        <translation>Eval-Schritte</translation>
    </message>
    <message>
        <source>every combination</source>
        <translation>jede Kombination</translation>
    </message>
    <message>
        <source>every combination in order</source>
        <translation>jede Kombination der Reihe nach</translation>
    </message>
    <message>
        <source>every number is 0</source>
        <translation>jede Zahl ist 0</translation>
    </message>
    <message>
        <source>every σ is 0</source>
        <translation>jedes σ ist 0</translation>
    </message>
    <message>
        <source>exact: Σ w·ΔW (re-factorised by SVD)</source>
        <translation>exakt: Σ w·ΔW (per SVD neu faktorisiert)</translation>
    </message>
    <message>
        <source>exactly</source>
        <translation>exakt</translation>
    </message>
    <message>
        <source>exp of the entropy of σ / Σσ</source>
        <translation>exp der Entropie von σ / Σσ</translation>
    </message>
    <message>
        <source>factor</source>
        <translation>Faktor</translation>
    </message>
    <message>
        <source>factory</source>
        <translation>Factory</translation>
    </message>
    <message>
        <source>failed</source>
        <translation>fehlgeschlagen</translation>
    </message>
    <message>
        <source>falls fastest at</source>
        <translation>fällt am schnellsten bei</translation>
    </message>
    <message>
        <source>fewer numbers up to {:,}.</source>
        <translation>weniger Zahlen bis {:,}.</translation>
    </message>
    <message>
        <source>finished</source>
        <translation>fertig</translation>
    </message>
    <message>
        <source>folder of the base model</source>
        <translation>Ordner des Basismodells</translation>
    </message>
    <message>
        <source>folder or file of the base model</source>
        <translation>Ordner oder Datei des Basismodells</translation>
    </message>
    <message>
        <source>from LORA_LAB_CLUSTER_TOKEN or the keyring</source>
        <translation>aus LORA_LAB_CLUSTER_TOKEN oder dem Schlüsselbund</translation>
    </message>
    <message>
        <source>from random weights</source>
        <translation>von zufälligen Gewichten</translation>
    </message>
    <message>
        <source>from the base</source>
        <translation>von der Basis</translation>
    </message>
    <message>
        <source>from the base and from random weights</source>
        <translation>von der Basis und von zufälligen Gewichten</translation>
    </message>
    <message>
        <source>from σ</source>
        <translation>aus σ</translation>
    </message>
    <message>
        <source>frozen</source>
        <translation>eingefroren</translation>
    </message>
    <message>
        <source>frozen layers</source>
        <translation>eingefrorene Schichten</translation>
    </message>
    <message>
        <source>frozen: ΔW and its rank stay unchanged</source>
        <translation>eingefroren: ΔW und sein Rang bleiben unverändert</translation>
    </message>
    <message>
        <source>full fine-tuning has no adapter path to drop</source>
        <translation>volles Fine-Tuning hat keinen Adapterpfad für Dropout</translation>
    </message>
    <message>
        <source>full fine-tuning has no rank</source>
        <translation>volles Fine-Tuning hat keinen Rang</translation>
    </message>
    <message>
        <source>full fine-tuning has no scaling</source>
        <translation>volles Fine-Tuning hat keine Skalierung</translation>
    </message>
    <message>
        <source>full rank</source>
        <translation>voller Rang</translation>
    </message>
    <message>
        <source>full training</source>
        <translation>volles Training</translation>
    </message>
    <message>
        <source>gradients {}</source>
        <translation>Gradienten {}</translation>
    </message>
    <message>
        <source>greedy</source>
        <translation>greedy</translation>
    </message>
    <message>
        <source>grey values</source>
        <translation>Grauwerte</translation>
    </message>
    <message>
        <source>grid, pruned</source>
        <translation>Gitter, mit Abbruch</translation>
    </message>
    <message>
        <source>grows by {}: ΔW is kept exactly</source>
        <translation>wächst um {}: ΔW bleibt genau erhalten</translation>
    </message>
    <message>
        <source>halves A and B in {} steps, {} in each</source>
        <translation>halbiert A und B in {} Schritten, {} je Schritt</translation>
    </message>
    <message>
        <source>halving</source>
        <translation>Halving</translation>
    </message>
    <message>
        <source>hard: digits with their pixels shuffled</source>
        <translation>schwer: Ziffern mit gemischten Pixeln</translation>
    </message>
    <message>
        <source>hidden</source>
        <translation>verborgene Schichten</translation>
    </message>
    <message>
        <source>highest: {}</source>
        <translation>höchste: {}</translation>
    </message>
    <message>
        <source>holds</source>
        <translation>gilt</translation>
    </message>
    <message>
        <source>hyper</source>
        <translation>hyper</translation>
    </message>
    <message>
        <source>image {:,}, {}</source>
        <translation>Bild {:,}, {}</translation>
    </message>
    <message>
        <source>in background</source>
        <translation>im Hintergrund</translation>
    </message>
    <message>
        <source>in exact fractions of the numbers as written</source>
        <translation>in exakten Brüchen der geschriebenen Zahlen</translation>
    </message>
    <message>
        <source>in the loss (label)</source>
        <translation>im Loss (Label)</translation>
    </message>
    <message>
        <source>index i</source>
        <translation>Index i</translation>
    </message>
    <message>
        <source>infinity</source>
        <translation>unendlich</translation>
    </message>
    <message>
        <source>init</source>
        <translation>Init</translation>
    </message>
    <message>
        <source>interrupted</source>
        <translation>unterbrochen</translation>
    </message>
    <message>
        <source>k(m + n) in B and A</source>
        <translation>k(m + n) in B und A</translation>
    </message>
    <message>
        <source>keep dtype</source>
        <translation>dtype behalten</translation>
    </message>
    <message>
        <source>keep s</source>
        <translation>s behalten</translation>
    </message>
    <message>
        <source>keep {}</source>
        <translation>{} behalten</translation>
    </message>
    <message>
        <source>keep ΔW</source>
        <translation>ΔW behalten</translation>
    </message>
    <message>
        <source>keep α</source>
        <translation>α behalten</translation>
    </message>
    <message>
        <source>kept</source>
        <translation>behalten</translation>
    </message>
    <message>
        <source>label smoothing</source>
        <translation>Label Smoothing</translation>
    </message>
    <message>
        <source>label {}</source>
        <translation>Label {}</translation>
    </message>
    <message>
        <source>largest tried that did not raise the validation loss</source>
        <translation>größte versuchte, die den Validierungs-Loss nicht erhöhte</translation>
    </message>
    <message>
        <source>largest {}</source>
        <translation>größter {}</translation>
    </message>
    <message>
        <source>latest checkpoint</source>
        <translation>letzter Checkpoint</translation>
    </message>
    <message>
        <source>layer ranks</source>
        <translation>Ränge je Schicht</translation>
    </message>
    <message>
        <source>layers, σ₁ ≥ σ₂ ≥ … in each</source>
        <translation>Schichten, σ₁ ≥ σ₂ ≥ … in jeder</translation>
    </message>
    <message>
        <source>learning rate</source>
        <translation>Lernrate</translation>
    </message>
    <message>
        <source>lets the best third continue at each third of the way</source>
        <translation>lässt nach jedem Drittel des Wegs nur das beste Drittel weiterlaufen</translation>
    </message>
    <message>
        <source>limited to {:,} (smallest layer dimension)</source>
        <translation>begrenzt auf {:,} (kleinste Dimension der Schicht)</translation>
    </message>
    <message>
        <source>linear: as PEFT adds factors, (Σ√(ws)·B)(Σ√(ws)·A)</source>
        <translation>linear: wie PEFT Faktoren addiert, (Σ√(ws)·B)(Σ√(ws)·A)</translation>
    </message>
    <message>
        <source>lists of words and of their tags (BIO): JSONL, Parquet or CSV</source>
        <translation>Listen von Wörtern und ihren Tags (BIO): JSONL, Parquet oder CSV</translation>
    </message>
    <message>
        <source>loading</source>
        <translation>lädt</translation>
    </message>
    <message>
        <source>log</source>
        <translation>log</translation>
    </message>
    <message>
        <source>lose {} of ΔW in {}</source>
        <translation>{} von ΔW in {} verlieren</translation>
    </message>
    <message>
        <source>loss</source>
        <translation>Verlust</translation>
    </message>
    <message>
        <source>loss per token</source>
        <translation>Loss je Token</translation>
    </message>
    <message>
        <source>lr</source>
        <translation>lr</translation>
    </message>
    <message>
        <source>magnitude: largest entries of each ΔW, sum</source>
        <translation>magnitude: größte Einträge jedes ΔW, Summe</translation>
    </message>
    <message>
        <source>masked (prompt)</source>
        <translation>maskiert (Prompt)</translation>
    </message>
    <message>
        <source>max grad norm</source>
        <translation>max. Gradientennorm</translation>
    </message>
    <message>
        <source>max length</source>
        <translation>max. Länge</translation>
    </message>
    <message>
        <source>max norm</source>
        <translation>max. Norm</translation>
    </message>
    <message>
        <source>measured</source>
        <translation>gemessen</translation>
    </message>
    <message>
        <source>measuring…</source>
        <translation>wird gemessen…</translation>
    </message>
    <message>
        <source>median</source>
        <translation>Median</translation>
    </message>
    <message>
        <source>median {} of the rank in use; most in {}, {}</source>
        <translation>im Median {} des Rangs genutzt; am meisten in {}, {}</translation>
    </message>
    <message>
        <source>median {} of {:,}; largest {} in {}</source>
        <translation>Median {} von {:,}; größter {} in {}</translation>
    </message>
    <message>
        <source>merged checkpoint (base model + ΔW)</source>
        <translation>zusammengeführter Checkpoint (Basismodell + ΔW)</translation>
    </message>
    <message>
        <source>million tokens</source>
        <translation>Millionen Token</translation>
    </message>
    <message>
        <source>min |cos|</source>
        <translation>min |cos|</translation>
    </message>
    <message>
        <source>minutes</source>
        <translation>Minuten</translation>
    </message>
    <message>
        <source>misclassified</source>
        <translation>falsch</translation>
    </message>
    <message>
        <source>mixture on</source>
        <translation>Mischung an</translation>
    </message>
    <message>
        <source>model</source>
        <translation>Modell</translation>
    </message>
    <message>
        <source>module:function, for custom architectures</source>
        <translation>modul:funktion, für eigene Architekturen</translation>
    </message>
    <message>
        <source>momentum</source>
        <translation>Momentum</translation>
    </message>
    <message>
        <source>m·n in W</source>
        <translation>m·n in W</translation>
    </message>
    <message>
        <source>negligible at this learning rate</source>
        <translation>vernachlässigbar bei dieser Lernrate</translation>
    </message>
    <message>
        <source>never fewer numbers.</source>
        <translation>nie weniger Zahlen.</translation>
    </message>
    <message>
        <source>new task</source>
        <translation>neue Aufgabe</translation>
    </message>
    <message>
        <source>no dropout</source>
        <translation>kein Dropout</translation>
    </message>
    <message>
        <source>no more than rounding: 0</source>
        <translation>nicht mehr als Rundung: 0</translation>
    </message>
    <message>
        <source>no weight decay</source>
        <translation>kein Weight Decay</translation>
    </message>
    <message>
        <source>noise of the same size</source>
        <translation>Rauschen derselben Größe</translation>
    </message>
    <message>
        <source>none</source>
        <translation>nichts</translation>
    </message>
    <message>
        <source>not adapted: it has no rank</source>
        <translation>nicht adaptiert: hat keinen Rang</translation>
    </message>
    <message>
        <source>not decided</source>
        <translation>unentschieden</translation>
    </message>
    <message>
        <source>not finite</source>
        <translation>nicht endlich</translation>
    </message>
    <message>
        <source>not found</source>
        <translation>nicht gefunden</translation>
    </message>
    <message>
        <source>not in the checkpoint: fully trained</source>
        <translation>nicht im Checkpoint: voll trainiert</translation>
    </message>
    <message>
        <source>not in the loss</source>
        <translation>nicht im Loss</translation>
    </message>
    <message>
        <source>not installed</source>
        <translation>nicht installiert</translation>
    </message>
    <message>
        <source>not measured yet</source>
        <translation>noch nicht gemessen</translation>
    </message>
    <message>
        <source>numbers</source>
        <translation>Zahlen</translation>
    </message>
    <message>
        <source>numbers trained</source>
        <translation>trainierte Zahlen</translation>
    </message>
    <message>
        <source>of a plain net; the readings that fit are listed</source>
        <translation>eines einfachen Netzes; die passenden Lesarten stehen zur Wahl</translation>
    </message>
    <message>
        <source>of a random subspace alone</source>
        <translation>nur eines zufälligen Unterraums</translation>
    </message>
    <message>
        <source>of the tensor that is selected</source>
        <translation>des gewählten Tensors</translation>
    </message>
    <message>
        <source>of {}</source>
        <translation>von {}</translation>
    </message>
    <message>
        <source>off</source>
        <translation>aus</translation>
    </message>
    <message>
        <source>on</source>
        <translation>an</translation>
    </message>
    <message>
        <source>on top of the current settings: {}, {} · write several values as 2, 4, 8</source>
        <translation>zu den aktuellen Einstellungen: {}, {} · mehrere Werte als 2, 4, 8 schreiben</translation>
    </message>
    <message>
        <source>one column: σ₁ is its length</source>
        <translation>eine Spalte: σ₁ ist ihre Länge</translation>
    </message>
    <message>
        <source>one number</source>
        <translation>eine Zahl</translation>
    </message>
    <message>
        <source>one row: σ₁ is its length</source>
        <translation>eine Zeile: σ₁ ist ihre Länge</translation>
    </message>
    <message>
        <source>optimizer</source>
        <translation>Optimierer</translation>
    </message>
    <message>
        <source>optimizer {}</source>
        <translation>Optimierer {}</translation>
    </message>
    <message>
        <source>other classes</source>
        <translation>andere Klassen</translation>
    </message>
    <message>
        <source>out × in</source>
        <translation>out × in</translation>
    </message>
    <message>
        <source>over steps</source>
        <translation>über Schritte</translation>
    </message>
    <message>
        <source>overflow</source>
        <translation>Überlauf</translation>
    </message>
    <message>
        <source>overflow in {}</source>
        <translation>in {} überlaufen</translation>
    </message>
    <message>
        <source>owner/name, as on huggingface.co</source>
        <translation>besitzer/name, wie auf huggingface.co</translation>
    </message>
    <message>
        <source>pairs of answers, one chosen and one rejected: JSONL, CSV, Parquet</source>
        <translation>Antwortpaare, je eine bevorzugt und eine abgelehnt: JSONL, CSV, Parquet</translation>
    </message>
    <message>
        <source>patience</source>
        <translation>Geduld</translation>
    </message>
    <message>
        <source>paused</source>
        <translation>pausiert</translation>
    </message>
    <message>
        <source>per-layer rank, {} at most</source>
        <translation>Rang je Schicht, höchstens {}</translation>
    </message>
    <message>
        <source>permuted</source>
        <translation>gemischt</translation>
    </message>
    <message>
        <source>pivots &gt; max(m, n)·ε·max|wᵢⱼ|</source>
        <translation>pivots &gt; max(m, n)·ε·max|wᵢⱼ|</translation>
    </message>
    <message>
        <source>pivots that are not 0</source>
        <translation>Pivots ungleich 0</translation>
    </message>
    <message>
        <source>plain text</source>
        <translation>reiner Text</translation>
    </message>
    <message>
        <source>prefix</source>
        <translation>Präfix</translation>
    </message>
    <message>
        <source>preset</source>
        <translation>Preset</translation>
    </message>
    <message>
        <source>pretraining</source>
        <translation>Pretraining</translation>
    </message>
    <message>
        <source>projection</source>
        <translation>Projektion</translation>
    </message>
    <message>
        <source>prompt as in the data</source>
        <translation>Prompt wie in den Daten</translation>
    </message>
    <message>
        <source>prompts</source>
        <translation>Prompts</translation>
    </message>
    <message>
        <source>pruned</source>
        <translation>vorzeitig beendet</translation>
    </message>
    <message>
        <source>r</source>
        <translation>r</translation>
    </message>
    <message>
        <source>random</source>
        <translation>Zufall</translation>
    </message>
    <message>
        <source>random labels</source>
        <translation>zufällige Labels</translation>
    </message>
    <message>
        <source>random weights</source>
        <translation>zufällige Gewichte</translation>
    </message>
    <message>
        <source>rank</source>
        <translation>Rang</translation>
    </message>
    <message>
        <source>rank </source>
        <translation>Rang </translation>
    </message>
    <message>
        <source>rank kept</source>
        <translation>behaltener Rang</translation>
    </message>
    <message>
        <source>rank {}</source>
        <translation>Rang {}</translation>
    </message>
    <message>
        <source>ranks {} and {}, other seeds</source>
        <translation>Ränge {} und {}, andere Seeds</translation>
    </message>
    <message>
        <source>ranks {} and {}, the same seed</source>
        <translation>Ränge {} und {}, derselbe Seed</translation>
    </message>
    <message>
        <source>ranks {} to {}</source>
        <translation>Ränge {} bis {}</translation>
    </message>
    <message>
        <source>ranks {} – {}</source>
        <translation>Ränge {} – {}</translation>
    </message>
    <message>
        <source>ranks, as in 1, 4, 16</source>
        <translation>Ränge, etwa 1, 4, 16</translation>
    </message>
    <message>
        <source>raw</source>
        <translation>roh</translation>
    </message>
    <message>
        <source>reading</source>
        <translation>Lesart</translation>
    </message>
    <message>
        <source>rescale ΔW</source>
        <translation>ΔW reskalieren</translation>
    </message>
    <message>
        <source>rescale ΔW: ΔW follows α at once. keep ΔW: ΔW stays as it is and B is rescaled, so that α acts like a learning rate of B.</source>
        <translation>ΔW reskalieren: ΔW folgt α sofort. ΔW behalten: ΔW bleibt, wie es ist, und B wird reskaliert, sodass α wie eine Lernrate von B wirkt.</translation>
    </message>
    <message>
        <source>retention set</source>
        <translation>Retention-Set</translation>
    </message>
    <message>
        <source>rounding, ≤ {}</source>
        <translation>Rundung, ≤ {}</translation>
    </message>
    <message>
        <source>row {:,}</source>
        <translation>Zeile {:,}</translation>
    </message>
    <message>
        <source>rules</source>
        <translation>Regeln</translation>
    </message>
    <message>
        <source>running</source>
        <translation>läuft</translation>
    </message>
    <message>
        <source>runs</source>
        <translation>Läufe</translation>
    </message>
    <message>
        <source>sampling</source>
        <translation>Sampling</translation>
    </message>
    <message>
        <source>schedule</source>
        <translation>LR-Verlauf</translation>
    </message>
    <message>
        <source>schema version</source>
        <translation>Schema-Version</translation>
    </message>
    <message>
        <source>seed</source>
        <translation>Seed</translation>
    </message>
    <message>
        <source>seed </source>
        <translation>Seed </translation>
    </message>
    <message>
        <source>seed {}</source>
        <translation>Seed {}</translation>
    </message>
    <message>
        <source>seed {}: validation loss {:.3f}</source>
        <translation>Seed {}: Validierungsverlust {:.3f}</translation>
    </message>
    <message>
        <source>seeds </source>
        <translation>Seeds </translation>
    </message>
    <message>
        <source>seeds: as it fits</source>
        <translation>Seeds: wie es passt</translation>
    </message>
    <message>
        <source>settings at random</source>
        <translation>zufällige Einstellungen</translation>
    </message>
    <message>
        <source>settings that resemble those of the best runs so far</source>
        <translation>Einstellungen, die denen der bisher besten Läufe ähneln</translation>
    </message>
    <message>
        <source>shard base</source>
        <translation>Basis aufteilen</translation>
    </message>
    <message>
        <source>share prefix</source>
        <translation>gemeinsames Präfix</translation>
    </message>
    <message>
        <source>skip bad rows</source>
        <translation>schlechte Zeilen auslassen</translation>
    </message>
    <message>
        <source>slerp: two ΔWs, a point of the arc between them</source>
        <translation>slerp: zwei ΔW, ein Punkt des Bogens zwischen ihnen</translation>
    </message>
    <message>
        <source>smoothed</source>
        <translation>geglättet</translation>
    </message>
    <message>
        <source>smoothing</source>
        <translation>Smoothing</translation>
    </message>
    <message>
        <source>snapshots</source>
        <translation>Momentaufnahmen</translation>
    </message>
    <message>
        <source>space</source>
        <translation>Raum</translation>
    </message>
    <message>
        <source>square</source>
        <translation>quadratisch</translation>
    </message>
    <message>
        <source>step</source>
        <translation>Schritt</translation>
    </message>
    <message>
        <source>step 000,000 / 000,000</source>
        <translation>Schritt 000,000 / 000,000</translation>
    </message>
    <message>
        <source>step {:,}</source>
        <translation>Schritt {:,}</translation>
    </message>
    <message>
        <source>step {:,} / {:,}</source>
        <translation>Schritt {:,} / {:,}</translation>
    </message>
    <message>
        <source>steps</source>
        <translation>Schritte</translation>
    </message>
    <message>
        <source>steps </source>
        <translation>Schritte </translation>
    </message>
    <message>
        <source>steps: as it fits</source>
        <translation>Schritte: wie es passt</translation>
    </message>
    <message>
        <source>stop texts, separated by |</source>
        <translation>Stopptexte, durch | getrennt</translation>
    </message>
    <message>
        <source>stopped</source>
        <translation>gestoppt</translation>
    </message>
    <message>
        <source>structure</source>
        <translation>Struktur</translation>
    </message>
    <message>
        <source>s·B·A = the r largest directions of what packing took from W, so ΔW is not 0 at step 0; for a base in 4 or 8 bits. One round of Li et al. 2023, arXiv 2310.08659</source>
        <translation>s·B·A = die r größten Richtungen dessen, was das Packen von W nahm; ΔW ist bei Schritt 0 also nicht 0; für eine Basis in 4 oder 8 Bit. Eine Runde von Li et al. 2023, arXiv 2310.08659</translation>
    </message>
    <message>
        <source>s·B·A&apos;s energy</source>
        <translation>der Energie von s·B·A</translation>
    </message>
    <message>
        <source>tall</source>
        <translation>hoch</translation>
    </message>
    <message>
        <source>targets</source>
        <translation>Ziele</translation>
    </message>
    <message>
        <source>task</source>
        <translation>Aufgabe</translation>
    </message>
    <message>
        <source>text, prompts and completions, or chats: JSONL, CSV, Parquet</source>
        <translation>Text, Prompts mit Antworten oder Chats: JSONL, CSV, Parquet</translation>
    </message>
    <message>
        <source>texts and a number each, pairs of texts too: CSV, JSONL or Parquet</source>
        <translation>Texte mit je einer Zahl, auch Textpaare: CSV, JSONL oder Parquet</translation>
    </message>
    <message>
        <source>texts and labels: CSV, JSONL or Parquet</source>
        <translation>Texte und Labels: CSV, JSONL oder Parquet</translation>
    </message>
    <message>
        <source>texts and several labels each: CSV, JSONL or Parquet</source>
        <translation>Texte mit je mehreren Labels: CSV, JSONL oder Parquet</translation>
    </message>
    <message>
        <source>texts and what each is to become, as summaries or translations: JSONL, CSV, Parquet</source>
        <translation>Texte und was aus ihnen werden soll, etwa Zusammenfassungen oder Übersetzungen: JSONL, CSV, Parquet</translation>
    </message>
    <message>
        <source>texts: JSONL, CSV, Parquet or plain text</source>
        <translation>Texte: JSONL, CSV, Parquet oder reiner Text</translation>
    </message>
    <message>
        <source>the base model is trained as the preset defines</source>
        <translation>das Basismodell wird trainiert, wie das Preset es vorgibt</translation>
    </message>
    <message>
        <source>the curves of all ranks lie on one another, and part later by capacity</source>
        <translation>die Kurven aller Ränge liegen aufeinander und trennen sich später nach Kapazität</translation>
    </message>
    <message>
        <source>the first {:,} are shown</source>
        <translation>die ersten {:,} werden gezeigt</translation>
    </message>
    <message>
        <source>the gap between the two losses grows with the batch</source>
        <translation>der Abstand der beiden Verluste wächst mit dem Batch</translation>
    </message>
    <message>
        <source>the highest rank wants a lower rate than rank 1</source>
        <translation>der höchste Rang will eine kleinere Rate als Rang 1</translation>
    </message>
    <message>
        <source>the lab&apos;s own over there</source>
        <translation>der des Labs dort</translation>
    </message>
    <message>
        <source>the loss of MLP layers is no higher</source>
        <translation>der Verlust der MLP-Schichten ist nicht höher</translation>
    </message>
    <message>
        <source>the model and data that are open</source>
        <translation>das geöffnete Modell und die geöffneten Daten</translation>
    </message>
    <message>
        <source>the numbers move both factors, and their rate does what α would</source>
        <translation>die Zahlen bewegen beide Faktoren, und ihre Lernrate tut, was α täte</translation>
    </message>
    <message>
        <source>the numbers move factors of one rank in all layers</source>
        <translation>die Zahlen bewegen Faktoren eines Rangs in allen Schichten</translation>
    </message>
    <message>
        <source>the numbers move factors of the rank that the run began with</source>
        <translation>die Zahlen bewegen Faktoren des Rangs, mit dem der Lauf begann</translation>
    </message>
    <message>
        <source>the same rate is best from rank 4 on</source>
        <translation>ab Rang 4 ist dieselbe Rate die beste</translation>
    </message>
    <message>
        <source>the squared change of A and B</source>
        <translation>der quadrierten Änderung von A und B</translation>
    </message>
    <message>
        <source>the sum itself, to rounding</source>
        <translation>die Summe selbst, bis auf Rundung</translation>
    </message>
    <message>
        <source>then it falls to {} at the last step ({} schedule).</source>
        <translation>dann fällt sie bis zum letzten Schritt auf {} (LR-Verlauf {}).</translation>
    </message>
    <message>
        <source>then it stays ({} schedule).</source>
        <translation>dann bleibt sie (LR-Verlauf {}).</translation>
    </message>
    <message>
        <source>this layer</source>
        <translation>diese Schicht</translation>
    </message>
    <message>
        <source>this run</source>
        <translation>dieser Lauf</translation>
    </message>
    <message>
        <source>ties: largest entries of each ΔW, mean of the majority&apos;s sign</source>
        <translation>ties: größte Einträge jedes ΔW, Mittel des Vorzeichens der Mehrheit</translation>
    </message>
    <message>
        <source>time not known yet</source>
        <translation>Dauer noch unbekannt</translation>
    </message>
    <message>
        <source>tokens per row: median {:,}, longest {:,}</source>
        <translation>Token je Zeile: Median {:,}, längste {:,}</translation>
    </message>
    <message>
        <source>too large</source>
        <translation>zu groß</translation>
    </message>
    <message>
        <source>top-p </source>
        <translation>Top-p </translation>
    </message>
    <message>
        <source>top-p {:g}</source>
        <translation>Top-p {:g}</translation>
    </message>
    <message>
        <source>train</source>
        <translation>Training</translation>
    </message>
    <message>
        <source>train (class {} only)</source>
        <translation>Training (nur Klasse {})</translation>
    </message>
    <message>
        <source>train ({} of {} classes)</source>
        <translation>Training ({} von {} Klassen)</translation>
    </message>
    <message>
        <source>train ({}/{})</source>
        <translation>Training ({}/{})</translation>
    </message>
    <message>
        <source>trainable parameters</source>
        <translation>trainierbare Parameter</translation>
    </message>
    <message>
        <source>trained on</source>
        <translation>trainiert</translation>
    </message>
    <message>
        <source>true σ(D)</source>
        <translation>wahres σ(D)</translation>
    </message>
    <message>
        <source>truncate to rank </source>
        <translation>kürzen auf Rang </translation>
    </message>
    <message>
        <source>trunk cache</source>
        <translation>Rumpf-Zwischenspeicher</translation>
    </message>
    <message>
        <source>two seeds at rank {}</source>
        <translation>zwei Seeds bei Rang {}</translation>
    </message>
    <message>
        <source>unchanged</source>
        <translation>unverändert</translation>
    </message>
    <message>
        <source>validation</source>
        <translation>Validierung</translation>
    </message>
    <message>
        <source>validation (all {} classes)</source>
        <translation>Validierung (alle {} Klassen)</translation>
    </message>
    <message>
        <source>validation (all)</source>
        <translation>Validierung (alle)</translation>
    </message>
    <message>
        <source>validation data</source>
        <translation>Validierungsdaten</translation>
    </message>
    <message>
        <source>validation loss</source>
        <translation>Validierungsverlust</translation>
    </message>
    <message>
        <source>validation loss with these ranks: {}</source>
        <translation>Validierungs-Loss mit diesen Rängen: {}</translation>
    </message>
    <message>
        <source>validation loss {}</source>
        <translation>Validierungs-Loss {}</translation>
    </message>
    <message>
        <source>validation loss, log scale</source>
        <translation>Validierungs-Loss, logarithmisch</translation>
    </message>
    <message>
        <source>variant</source>
        <translation>Variante</translation>
    </message>
    <message>
        <source>v{} in the pixels</source>
        <translation>v{} in den Pixeln</translation>
    </message>
    <message>
        <source>v{} is excited by</source>
        <translation>v{} wird angeregt von</translation>
    </message>
    <message>
        <source>waiting</source>
        <translation>wartet</translation>
    </message>
    <message>
        <source>warm-up</source>
        <translation>Warm-up</translation>
    </message>
    <message>
        <source>warmup steps</source>
        <translation>Warm-up-Schritte</translation>
    </message>
    <message>
        <source>wd</source>
        <translation>wd</translation>
    </message>
    <message>
        <source>weight decay</source>
        <translation>Weight Decay</translation>
    </message>
    <message>
        <source>weights {}</source>
        <translation>Gewichte {}</translation>
    </message>
    <message>
        <source>whole</source>
        <translation>ganz</translation>
    </message>
    <message>
        <source>wide</source>
        <translation>breit</translation>
    </message>
    <message>
        <source>within 2 % of each other</source>
        <translation>höchstens 2 % auseinander</translation>
    </message>
    <message>
        <source>worst layer</source>
        <translation>schlechteste Schicht</translation>
    </message>
    <message>
        <source>would discard nothing: ΔW does not use those directions</source>
        <translation>würde nichts verwerfen: ΔW nutzt diese Richtungen nicht</translation>
    </message>
    <message>
        <source>would discard {} of ΔW&apos;s energy in {}</source>
        <translation>würde {} der Energie von ΔW in {} verwerfen</translation>
    </message>
    <message>
        <source>wrong answers</source>
        <translation>falsche Antworten</translation>
    </message>
    <message>
        <source>your own</source>
        <translation>eigene</translation>
    </message>
    <message>
        <source>zero</source>
        <translation>null</translation>
    </message>
    <message>
        <source>zeroes {} of A’s inputs, the rest × {:.3g}</source>
        <translation>nullt {} der Eingaben von A, der Rest × {:.3g}</translation>
    </message>
    <message>
        <source>{:,g} days</source>
        <translation>{:,g} Tage</translation>
    </message>
    <message>
        <source>{:,} adapted</source>
        <translation>{:,} adaptiert</translation>
    </message>
    <message>
        <source>{:,} frozen</source>
        <translation>{:,} eingefroren</translation>
    </message>
    <message>
        <source>{:,} layers</source>
        <translation>{:,} Schichten</translation>
    </message>
    <message>
        <source>{:,} modules</source>
        <translation>{:,} Module</translation>
    </message>
    <message>
        <source>{:,} more steps, to step {:,}. </source>
        <translation>Noch {:,} Schritte, bis Schritt {:,}. </translation>
    </message>
    <message>
        <source>{:,} more truncated</source>
        <translation>{:,} weitere abgeschnitten</translation>
    </message>
    <message>
        <source>{:,} not finite</source>
        <translation>{:,} nicht endlich</translation>
    </message>
    <message>
        <source>{:,} numbers move {:,} weights</source>
        <translation>{:,} Zahlen bewegen {:,} Gewichte</translation>
    </message>
    <message>
        <source>{:,} of {:,} adapted</source>
        <translation>{:,} von {:,} adaptiert</translation>
    </message>
    <message>
        <source>{:,} of {:,} frozen</source>
        <translation>{:,} von {:,} eingefroren</translation>
    </message>
    <message>
        <source>{:,} of {:,} of class {} were predicted as {}</source>
        <translation>{:,} von {:,} der Klasse {} wurden als {} vorhergesagt</translation>
    </message>
    <message>
        <source>{:,} of {:,} parameters are trainable, {}</source>
        <translation>{:,} von {:,} Parametern sind trainierbar, {}</translation>
    </message>
    <message>
        <source>{:,} of {:,} top-k directions are intruders, at step {}.</source>
        <translation>{:,} von {:,} Top-k-Richtungen sind Intruder, bei Schritt {}.</translation>
    </message>
    <message>
        <source>{:,} of {:,} with a per-layer rank</source>
        <translation>{:,} von {:,} mit eigenem Rang</translation>
    </message>
    <message>
        <source>{:,} parameters</source>
        <translation>{:,} Parameter</translation>
    </message>
    <message>
        <source>{:,} parameters, {}</source>
        <translation>{:,} Parameter, {}</translation>
    </message>
    <message>
        <source>{:,} rows are too many to copy. Save them as CSV.</source>
        <translation>{:,} Zeilen sind zu viele zum Kopieren. Als CSV speichern.</translation>
    </message>
    <message>
        <source>{:,} rows truncated at {:,} tokens</source>
        <translation>{:,} Zeilen bei {:,} Token gekürzt</translation>
    </message>
    <message>
        <source>{:,} runs</source>
        <translation>{:,} Läufe</translation>
    </message>
    <message>
        <source>{:,} runs are still to be chosen, one after another</source>
        <translation>{:,} Läufe sind noch zu wählen, einer nach dem anderen</translation>
    </message>
    <message>
        <source>{:,} runs at most, chosen one after another, {}</source>
        <translation>höchstens {:,} Läufe, einer nach dem anderen gewählt, {}</translation>
    </message>
    <message>
        <source>{:,} steps</source>
        <translation>{:,} Schritte</translation>
    </message>
    <message>
        <source>{:,} targets</source>
        <translation>{:,} Ziele</translation>
    </message>
    <message>
        <source>{:,} to be adapted on Restart</source>
        <translation>{:,} beim Neustart zu adaptieren</translation>
    </message>
    <message>
        <source>{:,} to lose its adapter on Restart</source>
        <translation>{:,} verlieren beim Neustart den Adapter</translation>
    </message>
    <message>
        <source>{:,} tokens</source>
        <translation>{:,} Token</translation>
    </message>
    <message>
        <source>{:,} tokens, {:.0f} % label tokens</source>
        <translation>{:,} Token, {:.0f} % Label-Token</translation>
    </message>
    <message>
        <source>{:,} training rows, {:,} validation rows</source>
        <translation>{:,} Trainingszeilen, {:,} Validierungszeilen</translation>
    </message>
    <message>
        <source>{:,} validation rows were looked at, at step {:,}.</source>
        <translation>{:,} Validierungszeilen wurden angesehen, bei Schritt {:,}.</translation>
    </message>
    <message>
        <source>{:,} with a per-layer rank</source>
        <translation>{:,} mit eigenem Rang</translation>
    </message>
    <message>
        <source>{:.0f} of {:.0f} directions are unused</source>
        <translation>{:.0f} von {:.0f} Richtungen sind ungenutzt</translation>
    </message>
    <message>
        <source>{:.2f} directions of {} in use, {}</source>
        <translation>{:.2f} von {} Richtungen genutzt, {}</translation>
    </message>
    <message>
        <source>{:.2g}   (mean {:.2g})</source>
        <translation>{:.2g}   (Mittel {:.2g})</translation>
    </message>
    <message>
        <source>{:.2g} % off</source>
        <translation>{:.2g} % daneben</translation>
    </message>
    <message>
        <source>{:g} passes over the data</source>
        <translation>{:g} Durchgänge durch die Daten</translation>
    </message>
    <message>
        <source>{}
It stays until the new one is complete.</source>
        <translation>{}
Es bleibt, bis das neue vollständig ist.</translation>
    </message>
    <message>
        <source>{}
The old one stays until the new one is complete.</source>
        <translation>{}
Der alte bleibt, bis der neue vollständig ist.</translation>
    </message>
    <message>
        <source>{}
{:,} parameters, loss {}</source>
        <translation>{}
{:,} Parameter, Loss {}</translation>
    </message>
    <message>
        <source>{}   ({} layers)</source>
        <translation>{}   ({} Schichten)</translation>
    </message>
    <message>
        <source>{} % of full fine-tuning</source>
        <translation>{} % des vollen Fine-Tunings</translation>
    </message>
    <message>
        <source>{} ({:.3g} %) · uses {} of {:,}</source>
        <translation>{} ({:.3g} %) · nutzt {} von {:,}</translation>
    </message>
    <message>
        <source>{} as sound, {:.0f} s: {}. {:.0f} Hz is {}, {:.0f} Hz is {}.</source>
        <translation>{} als Ton, {:.0f} s: {}. {:.0f} Hz ist {}, {:.0f} Hz ist {}.</translation>
    </message>
    <message>
        <source>{} at rank {}</source>
        <translation>{} bei Rang {}</translation>
    </message>
    <message>
        <source>{} at step {:,}</source>
        <translation>{} bei Schritt {:,}</translation>
    </message>
    <message>
        <source>{} at {:,}</source>
        <translation>{} bei {:,}</translation>
    </message>
    <message>
        <source>{} bytes</source>
        <translation>{} Byte</translation>
    </message>
    <message>
        <source>{} cannot be opened for this task.</source>
        <translation>{} lässt sich für diese Aufgabe nicht öffnen.</translation>
    </message>
    <message>
        <source>{} cannot be opened. The lab opens models (a Hugging Face folder, .safetensors, .pt, .gguf), adapters, rows (.jsonl, .csv, .parquet, .txt), folders of images, runs and their zips.</source>
        <translation>{} lässt sich nicht öffnen. Das Lab öffnet Modelle (ein Hugging-Face-Ordner, .safetensors, .pt, .gguf), Adapter, Zeilen (.jsonl, .csv, .parquet, .txt), Bilderordner, Läufe und deren Zips.</translation>
    </message>
    <message>
        <source>{} classes</source>
        <translation>{} Klassen</translation>
    </message>
    <message>
        <source>{} classes: training and validation rows</source>
        <translation>{} Klassen: Trainings- und Validierungszeilen</translation>
    </message>
    <message>
        <source>{} classes: training and validation words</source>
        <translation>{} Klassen: Trainings- und Validierungswörter</translation>
    </message>
    <message>
        <source>{} could not be moved to the trash.</source>
        <translation>{} konnte nicht in den Papierkorb verschoben werden.</translation>
    </message>
    <message>
        <source>{} files at most: merge some of them.</source>
        <translation>Höchstens {} Dateien: einige davon mergen.</translation>
    </message>
    <message>
        <source>{} from {} to {}</source>
        <translation>{} von {} auf {}</translation>
    </message>
    <message>
        <source>{} has come back whole, and can be trained on.</source>
        <translation>{} ist vollständig zurückgekommen und kann weiter trainiert werden.</translation>
    </message>
    <message>
        <source>{} has finished; it opens with its plots.</source>
        <translation>{} ist fertig; er öffnet sich mit seinen Plots.</translation>
    </message>
    <message>
        <source>{} has no B with a learning rate of its own.</source>
        <translation>{} hat kein B mit eigener Lernrate.</translation>
    </message>
    <message>
        <source>{} has no checkpoint. A new run can begin with its settings.</source>
        <translation>{} hat keinen Checkpoint. Ein neuer Lauf kann mit seinen Einstellungen beginnen.</translation>
    </message>
    <message>
        <source>{} has no factors A and B.</source>
        <translation>{} hat keine Faktoren A und B.</translation>
    </message>
    <message>
        <source>{} hints…</source>
        <translation>{} Hinweise…</translation>
    </message>
    <message>
        <source>{} is an adapter, not a model. The workshop inspects, resizes, merges and converts it.</source>
        <translation>{} ist ein Adapter, kein Modell. Die Werkstatt inspiziert, kürzt, merget und konvertiert ihn.</translation>
    </message>
    <message>
        <source>{} is an adapter.</source>
        <translation>{} ist ein Adapter.</translation>
    </message>
    <message>
        <source>{} is here already.</source>
        <translation>{} ist schon hier.</translation>
    </message>
    <message>
        <source>{} is on a cluster. Attach shows what has come of it, as it comes.</source>
        <translation>{} ist auf einem Cluster. Verbinden zeigt, was davon gekommen ist, sowie es kommt.</translation>
    </message>
    <message>
        <source>{} is open here and trains in the background.</source>
        <translation>{} ist hier offen und trainiert im Hintergrund.</translation>
    </message>
    <message>
        <source>{} is open, here or in another window.</source>
        <translation>{} ist offen, hier oder in einem anderen Fenster.</translation>
    </message>
    <message>
        <source>{} is open, here or in another window. Close it there first.</source>
        <translation>{} ist offen, hier oder in einem anderen Fenster. Erst dort schließen.</translation>
    </message>
    <message>
        <source>{} is opened. Only one can be opened at a time, so these are not: {}</source>
        <translation>{} wird geöffnet. Nur eines kann auf einmal geöffnet werden, diese also nicht: {}</translation>
    </message>
    <message>
        <source>{} keeps {} of ΔW’s energy</source>
        <translation>{} behält {} der Energie von ΔW</translation>
    </message>
    <message>
        <source>{} layers</source>
        <translation>{} Schichten</translation>
    </message>
    <message>
        <source>{} layers in common, median cosine {:.3f}</source>
        <translation>{} gemeinsame Schichten, Median-Kosinus {:.3f}</translation>
    </message>
    <message>
        <source>{} left</source>
        <translation>noch {}</translation>
    </message>
    <message>
        <source>{} max</source>
        <translation>{} max.</translation>
    </message>
    <message>
        <source>{} more</source>
        <translation>{} weitere</translation>
    </message>
    <message>
        <source>{} moves its weights by no projection.</source>
        <translation>{} bewegt seine Gewichte durch keine Projektion.</translation>
    </message>
    <message>
        <source>{} moves what it moves at any size.</source>
        <translation>{} bewegt bei jeder Größe dasselbe.</translation>
    </message>
    <message>
        <source>{} needs continuous inputs, and an embedding is among the targets.</source>
        <translation>{} braucht stetige Eingaben, und unter den Zielen ist ein Embedding.</translation>
    </message>
    <message>
        <source>{} of the energy</source>
        <translation>{} der Energie</translation>
    </message>
    <message>
        <source>{} of {}</source>
        <translation>{} von {}</translation>
    </message>
    <message>
        <source>{} of {} finished</source>
        <translation>{} von {} fertig</translation>
    </message>
    <message>
        <source>{} of {} runs are there. About {} for the others.</source>
        <translation>{} von {} Läufen sind da. Etwa {} für die übrigen.</translation>
    </message>
    <message>
        <source>{} of {} runs are there. About {} for {:,} more of {:,} steps.</source>
        <translation>{} von {} Läufen sind da. Etwa {} für {:,} weitere von {:,} Schritten.</translation>
    </message>
    <message>
        <source>{} others</source>
        <translation>{} weitere</translation>
    </message>
    <message>
        <source>{} pairs of runs; in brackets what chance makes.</source>
        <translation>{} Paare von Läufen; in Klammern, was der Zufall ergibt.</translation>
    </message>
    <message>
        <source>{} parameters, {:.3g} % of full</source>
        <translation>{} Parameter, {:.3g} % von voll</translation>
    </message>
    <message>
        <source>{} pp</source>
        <translation>{} pp</translation>
    </message>
    <message>
        <source>{} resumes at step {:,}, bit for bit on this machine.</source>
        <translation>{} setzt bei Schritt {:,} fort, auf diesem Rechner Bit für Bit.</translation>
    </message>
    <message>
        <source>{} runs are shown already; no more fit.</source>
        <translation>{} Läufe werden schon gezeigt; mehr passen nicht.</translation>
    </message>
    <message>
        <source>{} runs selected.</source>
        <translation>{} Läufe gewählt.</translation>
    </message>
    <message>
        <source>{} shows no curve and no bars yet. Train a few steps first.</source>
        <translation>{} zeigt noch keine Kurve und keine Balken. Erst ein paar Schritte trainieren.</translation>
    </message>
    <message>
        <source>{} shows no numbers yet. Train a few steps first.</source>
        <translation>{} zeigt noch keine Zahlen. Erst ein paar Schritte trainieren.</translation>
    </message>
    <message>
        <source>{} starts from what packing the base into 4 or 8 bits loses.</source>
        <translation>{} beginnt mit dem, was das Packen der Basis in 4 oder 8 Bit verliert.</translation>
    </message>
    <message>
        <source>{} steps tried</source>
        <translation>{} Schritte versucht</translation>
    </message>
    <message>
        <source>{} steps were tried, until the loss diverged; the model is restored. </source>
        <translation>{} Schritte wurden versucht, bis der Loss divergierte; das Modell ist wiederhergestellt. </translation>
    </message>
    <message>
        <source>{} steps were tried, up to the highest learning rate; the model is restored. </source>
        <translation>{} Schritte wurden versucht, bis zur höchsten Lernrate; das Modell ist wiederhergestellt. </translation>
    </message>
    <message>
        <source>{} steps/s</source>
        <translation>{} Schritte/s</translation>
    </message>
    <message>
        <source>{} trains in the background. Attach shows it; it continues either way.</source>
        <translation>{} trainiert im Hintergrund. „Verbinden“ zeigt den Lauf; er geht so oder so weiter.</translation>
    </message>
    <message>
        <source>{} undone</source>
        <translation>{} rückgängig</translation>
    </message>
    <message>
        <source>{} was interrupted at step {:,}.</source>
        <translation>{} wurde bei Schritt {:,} unterbrochen.</translation>
    </message>
    <message>
        <source>{} would discard nothing of ΔW</source>
        <translation>{} würde nichts von ΔW verwerfen</translation>
    </message>
    <message>
        <source>{} would discard {} of ΔW’s energy{}</source>
        <translation>{} würde {} der Energie von ΔW verwerfen{}</translation>
    </message>
    <message>
        <source>{} {} off</source>
        <translation>{} {} aus</translation>
    </message>
    <message>
        <source>{} {}.
Type here to use others.</source>
        <translation>{} {}.
Hier tippen, um andere zu benutzen.</translation>
    </message>
    <message>
        <source>{} × {} at {:.0f} %</source>
        <translation>{} × {} bei {:.0f} %</translation>
    </message>
    <message>
        <source>{}, applied</source>
        <translation>{}, angewandt</translation>
    </message>
    <message>
        <source>{}, exact</source>
        <translation>{}, genau</translation>
    </message>
    <message>
        <source>{}, explained</source>
        <translation>{}, erklärt</translation>
    </message>
    <message>
        <source>{}, in background</source>
        <translation>{}, im Hintergrund</translation>
    </message>
    <message>
        <source>{}, in the background</source>
        <translation>{}, im Hintergrund</translation>
    </message>
    <message>
        <source>{}, off → on</source>
        <translation>{}, aus → an</translation>
    </message>
    <message>
        <source>{}, row {}, column {}: {}</source>
        <translation>{}, Zeile {}, Spalte {}: {}</translation>
    </message>
    <message>
        <source>{}, step {:,}</source>
        <translation>{}, Schritt {:,}</translation>
    </message>
    <message>
        <source>{}, watched</source>
        <translation>{}, nur beobachtet</translation>
    </message>
    <message>
        <source>{}. Singular values {}{}. Rank {} by σ, {} by elimination. Cut after {}: energy kept {}, error {}.</source>
        <translation>{}. Singulärwerte {}{}. Rang {} nach σ, {} durch Elimination. Schnitt nach {}: behaltene Energie {}, Fehler {}.</translation>
    </message>
    <message>
        <source>{}: lane {}</source>
        <translation>{}: Bahn {}</translation>
    </message>
    <message>
        <source>{}: none</source>
        <translation>{}: nichts</translation>
    </message>
    <message>
        <source>{}: not of what is open now</source>
        <translation>{}: gehört nicht zu dem, was jetzt offen ist</translation>
    </message>
    <message>
        <source>{}: step {:,}</source>
        <translation>{}: Schritt {:,}</translation>
    </message>
    <message>
        <source>{}: {:,} of {:,} wrong</source>
        <translation>{}: {:,} von {:,} falsch</translation>
    </message>
    <message>
        <source>{}: {:,} parameters in {:,} tensors, {}, {}</source>
        <translation>{}: {:,} Parameter in {:,} Tensoren, {}, {}</translation>
    </message>
    <message>
        <source>{}: {:.2f} % of the energy kept, {} of {}</source>
        <translation>{}: {:.2f} % der Energie behalten, {} von {}</translation>
    </message>
    <message>
        <source>{}: {} at step {:,}.</source>
        <translation>{}: {} bei Schritt {:,}.</translation>
    </message>
    <message>
        <source>{}: σ₁ = {} at step {:,}</source>
        <translation>{}: σ₁ = {} bei Schritt {:,}</translation>
    </message>
    <message>
        <source>{}; rank {} comes within 5 % of it with {:,} numbers.</source>
        <translation>{}; Rang {} kommt mit {:,} Zahlen auf 5 % heran.</translation>
    </message>
    <message>
        <source>{}s</source>
        <translation>{}er</translation>
    </message>
    <message>
        <source>{}u{} writes</source>
        <translation>{}u{} schreibt</translation>
    </message>
    <message>
        <source>ΔW / random</source>
        <translation>ΔW / Zufall</translation>
    </message>
    <message>
        <source>ΔW = (α/r)·(B₀ + P·θ)·(A₀ + P·θ), d numbers for the factors of all layers. Li et al. 2025, arXiv 2506.00799</source>
        <translation>ΔW = (α/r)·(B₀ + P·θ)·(A₀ + P·θ), d Zahlen für die Faktoren aller Schichten. Li et al. 2025, arXiv 2506.00799</translation>
    </message>
    <message>
        <source>ΔW = (α/r)·B·A. Hu et al. 2021, arXiv 2106.09685</source>
        <translation>ΔW = (α/r)·B·A. Hu et al. 2021, arXiv 2106.09685</translation>
    </message>
    <message>
        <source>ΔW = (α/r)·B·A₀, A₀ stays as it was drawn. Zhang et al. 2023, arXiv 2308.03303</source>
        <translation>ΔW = (α/r)·B·A₀, A₀ bleibt, wie es gezogen wurde. Zhang et al. 2023, arXiv 2308.03303</translation>
    </message>
    <message>
        <source>ΔW = (α/r)·U_r·Σ_r·R·V_rᵀ with W = U·Σ·Vᵀ; only R (r × r) learns. Bałazy et al. 2024, arXiv 2405.17604</source>
        <translation>ΔW = (α/r)·U_r·Σ_r·R·V_rᵀ mit W = U·Σ·Vᵀ; nur R (r × r) lernt. Bałazy et al. 2024, arXiv 2405.17604</translation>
    </message>
    <message>
        <source>ΔW = (α/√r)·B·A. Kalajdzievski 2023, arXiv 2312.03732</source>
        <translation>ΔW = (α/√r)·B·A. Kalajdzievski 2023, arXiv 2312.03732</translation>
    </message>
    <message>
        <source>ΔW = 0, or not measured yet</source>
        <translation>ΔW = 0 oder noch nicht gemessen</translation>
    </message>
    <message>
        <source>ΔW = W′ − W, every entry trains: the comparison, not for export</source>
        <translation>ΔW = W′ − W, jeder Eintrag wird trainiert: der Vergleich, nicht zum Export</translation>
    </message>
    <message>
        <source>ΔW = diag(b)·B·diag(d)·A; A, B random, frozen and shared; b, d learn. Kopiczko et al. 2023, arXiv 2310.11454</source>
        <translation>ΔW = diag(b)·B·diag(d)·A; A, B zufällig, eingefroren und geteilt; b, d lernen. Kopiczko et al. 2023, arXiv 2310.11454</translation>
    </message>
    <message>
        <source>ΔW = s·B·A. Out of the box these programs multiply by an s that differs 320-fold. “α for the same s” is what to set there; “Strength” gives the same file the same effect where the program applies its own default s; “Learning rate” moves ΔW as far per step when training there with its default.</source>
        <translation>ΔW = s·B·A. Diese Programme multiplizieren von sich aus mit einem s, das sich um das 320-Fache unterscheidet. „α für dasselbe s“ ist dort einzustellen; „Stärke“ gibt derselben Datei dieselbe Wirkung, wo das Programm sein eigenes s anwendet; „Lernrate“ bewegt ΔW je Schritt gleich weit, wenn dort mit der Voreinstellung trainiert wird.</translation>
    </message>
    <message>
        <source>ΔW and &amp;W</source>
        <translation>ΔW und &amp;W</translation>
    </message>
    <message>
        <source>ΔW follows α at once</source>
        <translation>ΔW folgt α sofort</translation>
    </message>
    <message>
        <source>ΔW is 0 in this layer: there are no directions yet. Train first.</source>
        <translation>ΔW ist 0 in dieser Schicht: Es gibt noch keine Richtungen. Erst trainieren.</translation>
    </message>
    <message>
        <source>ΔW is above the rounding of the base: {} of ‖W‖ beside {}</source>
        <translation>ΔW liegt über der Rundung der Basis: {} von ‖W‖ neben {}</translation>
    </message>
    <message>
        <source>ΔW is below the rounding of the base in {:,} of {:,} layers</source>
        <translation>ΔW liegt in {:,} von {:,} Schichten unter der Rundung der Basis</translation>
    </message>
    <message>
        <source>ΔW is below the rounding of the base: {} of ‖W‖ beside {}</source>
        <translation>ΔW liegt unter der Rundung der Basis: {} von ‖W‖ neben {}</translation>
    </message>
    <message>
        <source>ΔW is not finite in some layer: it cannot be merged. Lower the learning rate or α, and continue from the last good step.</source>
        <translation>ΔW ist in einer Schicht nicht endlich: Es lässt sich nicht zusammenführen. Lernrate oder α senken und vom letzten guten Schritt weitermachen.</translation>
    </message>
    <message>
        <source>ΔW is not finite.</source>
        <translation>ΔW ist nicht endlich.</translation>
    </message>
    <message>
        <source>ΔW is still 0</source>
        <translation>ΔW ist noch 0</translation>
    </message>
    <message>
        <source>ΔW is zero at this step: it has no directions yet.</source>
        <translation>ΔW ist bei diesem Schritt null: es hat noch keine Richtungen.</translation>
    </message>
    <message>
        <source>ΔW is zero until the first step.</source>
        <translation>ΔW ist null bis zum ersten Schritt.</translation>
    </message>
    <message>
        <source>ΔW is zero.</source>
        <translation>ΔW ist null.</translation>
    </message>
    <message>
        <source>ΔW is zero: there is nothing to merge yet. Train first.</source>
        <translation>ΔW ist null: Es gibt noch nichts zu mergen. Erst trainieren.</translation>
    </message>
    <message>
        <source>ΔW lost</source>
        <translation>ΔW verloren</translation>
    </message>
    <message>
        <source>ΔW of {} has numerical rank {} at step {:,}</source>
        <translation>ΔW von {} hat den numerischen Rang {} bei Schritt {:,}</translation>
    </message>
    <message>
        <source>ΔW of {} is not finite: the last finite one is restored</source>
        <translation>ΔW von {} ist nicht endlich: das letzte endliche wird wiederhergestellt</translation>
    </message>
    <message>
        <source>ΔW stays as it is and B is rescaled: α acts like a learning rate of B</source>
        <translation>ΔW bleibt, wie es ist, und B wird reskaliert: α wirkt wie eine Lernrate von B</translation>
    </message>
    <message>
        <source>ΔW uses all of its rank {:,}; a larger rank may help.</source>
        <translation>ΔW nutzt seinen ganzen Rang {:,}; ein größerer kann helfen.</translation>
    </message>
    <message>
        <source>ΔW was trained at rank {:,} and cannot indicate a larger one.</source>
        <translation>ΔW wurde mit Rang {:,} trainiert und kann keinen größeren anzeigen.</translation>
    </message>
    <message>
        <source>ΔW&apos;s energy</source>
        <translation>der ΔW-Energie</translation>
    </message>
    <message>
        <source>ΔW, what it reads</source>
        <translation>ΔW, was es liest</translation>
    </message>
    <message>
        <source>ΔW, what it writes</source>
        <translation>ΔW, was es schreibt</translation>
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
        <translation>α folgt dem Rang, sodass s bleibt</translation>
    </message>
    <message>
        <source>α for the same s</source>
        <translation>α für dasselbe s</translation>
    </message>
    <message>
        <source>α is twice the rank</source>
        <translation>α ist das Doppelte des Rangs</translation>
    </message>
    <message>
        <source>α mode</source>
        <translation>α-Modus</translation>
    </message>
    <message>
        <source>α of an adapter whose file stores none</source>
        <translation>α eines Adapters, dessen Datei keines speichert</translation>
    </message>
    <message>
        <source>α stays: a higher rank lowers s</source>
        <translation>α bleibt: ein höherer Rang senkt s</translation>
    </message>
    <message>
        <source>β</source>
        <translation>β</translation>
    </message>
    <message>
        <source>β between 0.2 and 0.3 in language models</source>
        <translation>β zwischen 0,2 und 0,3 in Sprachmodellen</translation>
    </message>
    <message>
        <source>β of DPO (Rafailov et al. 2023, arXiv 2305.18290): how strongly the model is held to its base, the adapter off. A small one lets it go further. For preference pairs alone.</source>
        <translation>β von DPO (Rafailov et al. 2023, arXiv 2305.18290): wie stark das Modell an seine Basis gebunden ist, den Adapter aus. Ein kleines lässt es weiter weg. Nur für Präferenzpaare.</translation>
    </message>
    <message>
        <source>λ</source>
        <translation>λ</translation>
    </message>
    <message>
        <source>λ of LoRA+ (Hayou et al. 2024, arXiv 2402.12354): the learning rate of B over that of A. 1: none; the paper&apos;s is 16.</source>
        <translation>λ von LoRA+ (Hayou et al. 2024, arXiv 2402.12354): die Lernrate von B durch die von A. 1: keines; im Paper 16.</translation>
    </message>
    <message>
        <source>σ clip</source>
        <translation>σ begrenzt</translation>
    </message>
    <message>
        <source>σ of {} clipped at step {:,}.</source>
        <translation>σ von {} bei Schritt {:,} begrenzt.</translation>
    </message>
    <message>
        <source>σ of ΔW</source>
        <translation>σ von ΔW</translation>
    </message>
    <message>
        <source>σ over steps</source>
        <translation>σ über Schritte</translation>
    </message>
    <message>
        <source>σ {}   ({:,} values; stable rank {:.3g}, effective rank {:.4g})</source>
        <translation>σ {}   ({:,} Werte; stabiler Rang {:.3g}, effektiver Rang {:.4g})</translation>
    </message>
    <message>
        <source>σ ≤ {}</source>
        <translation>σ ≤ {}</translation>
    </message>
    <message>
        <source>σᵢ &gt; max(m, n)·ε·σ₁, as numpy&apos;s matrix_rank</source>
        <translation>σᵢ &gt; max(m, n)·ε·σ₁, wie matrix_rank von numpy</translation>
    </message>
    <message>
        <source>σ₁ holds {} of ΔW’s energy ({} at step {:,})</source>
        <translation>σ₁ hält {} der Energie von ΔW ({} bei Schritt {:,})</translation>
    </message>
    <message>
        <source>σ₁ of each layer</source>
        <translation>σ₁ jeder Schicht</translation>
    </message>
    <message>
        <source>σ₁ of every layer over steps</source>
        <translation>σ₁ jeder Schicht über Schritte</translation>
    </message>
    <message>
        <source>σ₁/σ{} is too large for float64: rounding dominates.</source>
        <translation>σ₁/σ{} ist zu groß für float64: Rundung überwiegt.</translation>
    </message>
    <message>
        <source>φ(i, j) at the start</source>
        <translation>φ(i, j) am Anfang</translation>
    </message>
    <message>
        <source>φ(i, j) by chance</source>
        <translation>φ(i, j) zufällig</translation>
    </message>
    <message>
        <source>φ(i, j) now</source>
        <translation>φ(i, j) jetzt</translation>
    </message>
    <message>
        <source>φ(i, j) of the selected layer</source>
        <translation>φ(i, j) der gewählten Schicht</translation>
    </message>
    <message>
        <source>‖UᵀWV‖ with the singular vectors U, V of ΔW, of W, and of random matrices: what W does in those directions (LoRA §7.3). Medians over the runs.</source>
        <translation>‖UᵀWV‖ mit den Singulärvektoren U, V von ΔW, von W und von Zufallsmatrizen: was W in diesen Richtungen tut (LoRA §7.3). Mediane über die Läufe.</translation>
    </message>
    <message>
        <source>‖W − W_file‖/‖W_file‖: what packing the base into 4 or 8 bits lost. It stands out where ΔW is smaller than that</source>
        <translation>‖W − W_Datei‖/‖W_Datei‖: was das Packen der Basis in 4 oder 8 Bit verlor. Hervorgehoben, wo ΔW kleiner ist</translation>
    </message>
    <message>
        <source>‖error‖ / ‖W‖</source>
        <translation>‖Fehler‖ / ‖W‖</translation>
    </message>
    <message>
        <source>‖ΔW‖ / ‖UᵀWV‖, of ΔW</source>
        <translation>‖ΔW‖ / ‖UᵀWV‖, von ΔW</translation>
    </message>
    <message>
        <source>‖ΔW‖ / ‖W‖ = {}, at step {:,}{}</source>
        <translation>‖ΔW‖ / ‖W‖ = {}, bei Schritt {:,}{}</translation>
    </message>
    <message>
        <source>‖ΔW‖ {} at step {:,} → {} at step {:,}</source>
        <translation>‖ΔW‖ {} bei Schritt {:,} → {} bei Schritt {:,}</translation>
    </message>
    <message>
        <source>‖ΔW‖/‖W‖</source>
        <translation>‖ΔW‖/‖W‖</translation>
    </message>
    <message>
        <source>‖ΔW‖/‖W‖ {} in this layer</source>
        <translation>‖ΔW‖/‖W‖ {} in dieser Schicht</translation>
    </message>
    <message>
        <source>‖ΔW‖/‖W‖ {}{}</source>
        <translation>‖ΔW‖/‖W‖ {}{}</translation>
    </message>
    <message>
        <source>… with a tolerance</source>
        <translation>… mit Toleranz</translation>
    </message>
    <message>
        <source>→ best validation loss</source>
        <translation>→ bester Validierungs-Loss</translation>
    </message>
    <message>
        <source>→ rank at the end</source>
        <translation>→ Rang am Ende</translation>
    </message>
    <message>
        <source>→ steps trained</source>
        <translation>→ trainierte Schritte</translation>
    </message>
    <message>
        <source>→ time</source>
        <translation>→ Zeit</translation>
    </message>
    <message>
        <source>→ training loss</source>
        <translation>→ Trainings-Loss</translation>
    </message>
    <message>
        <source>→ α at the end</source>
        <translation>→ α am Ende</translation>
    </message>
    <message>
        <source>↓ true class    → predicted</source>
        <translation>↓ wahre Klasse    → vorhergesagt</translation>
    </message>
    <message>
        <source>≥ {} (first {} σ)</source>
        <translation>≥ {} (erste {} σ)</translation>
    </message>
</context>
</TS>

"""What a stored text may hold: one plain line, and nothing that tells whose machine it is. Pure.

``clean`` leaves out at writing what ``problem`` refuses at reading.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Any
from urllib.parse import unquote

LONGEST = 200
# Letters of the commonest scripts, and signs; no control or direction character, nothing that HTML, Markdown, a
# template or a table's cell reads as its own. ``_is_letter`` adds the letters and marks of other scripts.
SIGNS = r" !#$%'()+,\-./:;=?@^_\u00a1-\u00ac\u00ae-\u00ff‐-―‘-”•…′″−×≈≤≥、。「」"
LETTERS = (
    r"0-9A-Za-z\u0100-\u024f\u0370-\u03ff"
    r"\u0400-\u0481\u048a-\u04ff\u1e00-\u1eff\u3041-\u3096\u309b-\u30ff\u4e00-\u9fff\uac00-\ud7a3"
)
LINE = re.compile(rf"[{SIGNS}{LETTERS}]*")
UNPLAIN = re.compile(rf"[^{SIGNS}{LETTERS}]")
STAND_INS = str.maketrans('<>[]{}"`|\\&*~', "()()()''//+x-")
WIDE = {0xFEE0 + code: code for code in range(0x21, 0x7F)} | dict.fromkeys(map(ord, "\u200c\u200d"))  # and joiners
# Letters of one script that look like those of another make two names of one machine.
_ALIKE = r"[\u0400-\u058f\u13a0-\u13ff\u2c80-\u2cff\ua4d0-\ua4ff\uab70-\uabbfΑΒΕΖΗΙΚΜΝΟΡΤΥΧο]"
TWO_SCRIPTS = re.compile(rf"[A-Za-z]{_ALIKE}|{_ALIKE}[A-Za-z]")
# What stands alone or in heaps is no writing. \ue000 is put for each mark of a script.
HEAP = re.compile("(?:^|[^\\w\ue000])\ue000|\ue000{4}")
# Scripts whose letters are listed above as far as they may be, and characters that show nothing of their own.
_LISTED = ("LATIN", "MODIFIER", "COMBINING", "VARIATION", "GREEK", "CYRILLIC", "MATHEMATICAL", "MONGOLIAN FREE")
_BLANK = ("FILLER", "INHERENT")
# Unicode's categories of letters, marks, digits and signs. Of the signs only those of a script, such as a danda.
_KINDS, _PUNCTUATION = ("Lu", "Ll", "Lt", "Lo", "Lm", "Mn", "Mc", "Nd"), ("Po", "Pd")
_AM = "\u0e33\u0eb3"  # letters of Thai and Lao that Unicode would take apart
FORMULA = re.compile(r"[=+@#\s]+|-(?=[^-\w])|-(?=\d)")  # what a spreadsheet or Markdown reads at the head of a text

_COMPONENT = r"[\w.+-]+"
# Hosts of the frameworks, their documentation and their data, which error messages name.
_PUBLIC = (
    r"(?:[\w-]+\.)?(?:tensorflow\.org|keras\.io|pytorch\.org|jax\.dev|nvidia\.com|googleapis\.com|huggingface\.co"
    r"|python\.org|kernel\.org)(?![\w.-]*@)\b"
)
_SECRET = (
    r"(?i)(?<![a-z0-9])(?:[a-z0-9]+_)*(?:token|pass(?:w(?:or)?d|phrase|code)|pwd?|secret|credential|bearer"
    r"|(?:api|access)[ _-]?key|authori[sz]ation)s?(?:_[a-z0-9]+)*"
)
# Common given names that are no words of programs, chips and libraries: a host or a user is often called so.
_GIVEN_NAMES = (
    "alice|amanda|amy|andrea|andreas|andrew|angela|anna|anthony|barbara|benjamin|bob|brian|carlos|caroline|charlie"
    "|chris|christian|christine|christopher|daniel|david|deborah|dennis|dmitr[iy]|donald|elena|elizabeth|emily|emma|eric"
    "|fatima|george|giovanni|hannah|hans|helen|hiroshi|ivan|james|jane|jason|jennifer|jessica|joe|johannes|john|jonathan"
    "|jos[eé]|joseph|joshua|karen|katherine|kevin|klaus|laura|linda|lisa|lucas|luis|mar[ií]a|marie|martin|mary|matthew"
    "|michael|michelle|mohammed|muhammad|nancy|nicholas|nicole|olga|oliver|patricia|patrick|paul|peter|philipp?|pierre"
    "|rachel|rebecca|richard|robert|ryan|samantha|sandra|sarah|sophi[ae]|stefan|stephanie|stephen|steven|susan|thomas"
    "|timothy|wolfgang|yuki"
)
# What follows "user" or "host" where that is no name: "host memory", "the user may".
_NO_NAME = (
    r"(?!(?:a|above|abort\w*|after|alloc\w*|and|an?|any|are|arrays?|as|at|batch\w*|be|below|between|buffers?|but|by"
    r"|callbacks?|can|cannot|cancel\w*|code|comes|compil\w+|copies|copy|could|cpus?|data|defined|devices?|did|do|does"
    r"|environment|errors?|exceed\w*|for|found|from|functions?|gets|gpus?|groups?|had|has|have|if|ids?|import|in|inputs?"
    r"|interrupt\w*|into|is|it|its|kernels?|key|level|limits?|localhost|makes|may|measured|mem\w*|might|mode|must|names?|needs|no|not"
    r"|now|of|offload\w*|on|or|pages?|pinned|platforms?|pointers?|process\w*|program|provided|quota|ram|ran|ranks?"
    r"|reported|requests?|requested|says|scripts?|settings?|shell|should|side|since|site|space|specified|stopped|stream\w*"
    r"|supplied|system|tensors?|than|that|the|these|this|threads?|through|time|timed|timeout|to|trained|transfers?"
    r"|types?|under|until|variables?|version|waited|waiting|was|were|what|when|where|which|while|who|whose|will|with"
    r"|without|would|you|your)\b(?![-.]\w))"
)
# Nor what follows "conda env" or "virtualenv" where that is no person's.
_NO_ENV = (
    rf"{_NO_NAME}(?!(?:base|root|tf|torch|tensorflow|pytorch|jax|keras|py|python|gpu|cuda|ml|dl|ai|bench|test|dev|env)"
    r"(?![^\W\d_])|(?:activat|config|creat|exist|export|fail|info|lack|list|miss|older|remov|requir|updat)\w*)"
)
# Nor who makes programs and chips: "NVIDIA's laptop GPUs".
_NO_OWNER = (
    "(?!(?:AMD|AWS|Apple|Azure|CUDA|Colab|Dell|Docker|Google|HP|Intel|It|JAX|Kaggle|Keras|Lenovo|Linux|Machine|Microsoft"
    "|NVIDIA|Nvidia|PyTorch|Qualcomm|ROCm|TensorFlow|That|The|This|Today|User|Windows|XLA)['’])"
)
# Nor what TensorFlow calls the nodes of a graph.
_NO_NODE = (
    r"(?!\w*(?:conv|dense|lstm|gru|embedding|batch_?norm|dropout|attention|matmul|layer|block|stage|model|sequential)"
    r"|(?-i:[A-Z][a-z]+[A-Z])|[\w.-]+/)"
)
_NAME = r"[^\W\d][\w.'-]*"
_AT_HOME = (
    r"usr/(?:lib\w*|bin|share|include|local/(?:cuda|lib|bin|nvidia))|lib\w*|proc/(?!\d|self/(?:cwd|root|fd))|sys"
    r"|dev/(?!shm)|etc|bin"
)
# What stands before or behind four numbers that are a version: a program, or words that compare two versions.
_PROGRAM = (
    "cudnn|cublas|cufft|curand|cusolver|cusparse|nccl|tensorrt|directml|cuda|mkl|rocm|nvidia|kernel|driver|runtime"
    "|library|version|release"
)
_COMPARED = "needs|need|wanted|requires|require|than|at least|against|compiled with|built with|linked with"
_NO_VERSION = "(?<![=>)]=)" + "".join(
    rf"(?<!{word}{between})" for word in f"{_PROGRAM}|{_COMPARED}".split("|") for between in ("[ :=/]", "[:=] ")
)
_NO_VERSION_OF = (
    rf"(?! (?:of|for) (?:{_PROGRAM})| was found"
    rf"|,? (?:but |and |is |source was )*(?:{_COMPARED}|older|newer)\b[ :\w]{{0,24}}\d\.\d)"
)
_OCTET = r"(?:25[0-5]|2[0-4]\d|[01]?\d?\d)"
# Names with dots that are no hosts: packages, files, and what a layer or a tensor is made of.
_PACKAGE = r"(?:tf|np|tensorflow|keras|scipy|numpy|torch|jaxl?i?b?|sklearn|google|onnx\w*|xgboost|cuda|nvidia)\."
_NO_DOMAIN = (
    r"(?:py\w*|so|h5|npz?|npy|json\w*|toml|ya?ml|txt|md|csv|tsv|log|parquet|keras|weights?|onnx|pb|pth?|ckpt|bin|gguf"
    r"|safetensors|model|whl|zip|t?gz|tar|dll|exe|dylib|lib|cc?|cpp|cu|cuh|h|hpp|ptx|cubin|js|html|png|jpe?g|ipynb|cfg|ini"
    r"|conf|sh|lock|tmp|bias|kernel|shape|dtype|name|memory|data|values?|device|grad|outputs?|inputs?|index|id|layers?"
    r"|conv\w*|bn\d*|norm\d*|fc\d*|attn|mlp)"
)
# What may not be there, and how to find it, the more telling ones first.
PERSONAL = tuple(
    (name, re.compile(pattern))
    for name, pattern in (
        ("token", r"(?:gh[a-z]_|github_pat_|glpat-|hf_|[spr]k[-_]|xox[a-z]-|xapp-|npm_|pypi-|AKIA|ASIA|AIza|eyJ|ya29\."
                  r"|GOCSPX-|dckr_pat_|r8_|lin_api_|nvapi-|gsk_|dop_v1_|hvs\.|SG\.|AGE-SECRET-"
                  r"|sq0[a-z]{3}-|EAA[A-Z]|sbp_|pat-|figd_|shp[a-z]{2}_|vault:v\d:)[\w.-]{10,}|(?<![A-Za-z])rnd_\w{16,}|(?i:\bsig=[\w%+/-]{8,})"),
        ("token", r"(?i)\b(?:bearer|basic|digest) (?=[\w.+/-]*(?:\d|\.\w+\.))[\w.+/-]{10,}"),
        ("token", r"(?i)\b\w*key\s*[=:]\s*['(]?(?=[\w+/-]*\d)(?=[\w+/-]*[a-z])[\w+/-]{8,}"
                  r"|\b(?:session|cookie)(?:[ _-]id)?\s*[=: ]\s*(?:\w+=)?(?=[a-z]*\d)[0-9a-z]{10,}"),
        ("token", r"PRIVATE KEY\b|\bssh-\w+ AAAA\S*|://[^/\s@]+:[^/\s@]+@[\w.-]+"),
        ("token", rf"{_SECRET}(?:\s*:\s*['(]?(?!\d+\b)[\w./+-]{{6,}}|\s*=\s*['(]?(?!\d+\b)[\w./+-]{{4,}}"
                  r"|\s+(?:is\s+)?(?=\S*\d)['(]?[\w./+-]{6,})"),
        ("token", r"(?<![\w/+-])(?=[\w+-]*[a-z])(?=[\w+-]*[A-Z])(?=[\w+-]*\d)[A-Za-z0-9_+-]{32,}"),
        ("token", r"(?<![\w/+.-])(?=\S*[a-z])(?=\S*[A-Z])(?=\S*\d)[A-Za-z0-9/+]{40}(?![\w/+.-])"),
        ("e-mail address or host", r"(?i)[\w.+-]+ ?[(\[]at[)\]] ?[\w-]+|[\w.+-]+ at [\w.-]+ dot \w+"),
        ("e-mail address or host", r"[\w.%+-]+@[^\W\d][\w-]*\.[\w.-]+(?::[\w./-]+)?"
                                    r"|(?<![\w.%+-])(?!(\w+)@\1(?!\w)|[\d.]+[GM]Hz)[\w.%+-]{2,}@(?=[^\W\d])[\w-]{2,}[\w.-]*"
                                    r"|[\w.+-]+ at [\w-]+\.(?:com|org|net|edu|io|de|fr|uk)\b"),
        ("UUID", r"(?i)(?<![0-9a-z])[0-9a-f]{8}(?:[-_][0-9a-f]{4}){3}[-_][0-9a-f]{12}(?![0-9a-z])"
                 r"|\b(?:gpu|mig)-(?=[a-f]*\d)[0-9a-f]{6,}|\b(?:uu|gu)id\s*[=: ]\s*(?:0x)?[0-9a-f-]{8,}"
                 r"|\b(?:machine|boot|host|hw|hardware|product)[ _-]id\s*[=: ]\s*(?=[a-f-]*\d)[0-9a-f-]{8,}"),
        ("hardware address", r"(?i)(?<![\w:-])[0-9a-f]{1,2}(?:([:_-])[0-9a-f]{1,2})(?:\1[0-9a-f]{1,2}){4,}(?![\w:-])"
                             r"|(?<![\w.])(?=[0-9. ]*[a-f])[0-9a-f]{2}(?:([. ])[0-9a-f]{2})(?:\2[0-9a-f]{2}){4}"
                             r"(?![\w.])"
                             r"|(?<![0-9a-z])(?=[a-f]*\d)(?=\d*[a-f])[0-9a-f]{12}(?![0-9a-z])"
                             r"|(?<![\w.])[0-9a-f]{4}\.[0-9a-f]{4}\.[0-9a-f]{4}(?![\w.])"
                             r"|\b(?:en|wl)x[0-9a-f]{12}\b|\bmac [0-9a-f]{6}-?[0-9a-f]{6}\b"),
        ("network address", r"(?<![\w.-])(?:127\.\d{1,3}|192\.168|169\.254|172\.(?:1[6-9]|2\d|3[01]))"
                            r"(?:\.\d{1,3}){2}(?!\w|\.\d)"),
        ("network address", rf"(?i)(?<![\w.-])(?=\d)(?<![_-]cu1\d ){_NO_VERSION}(?:(?<!\w, found )(?<!\w, expected )"
                            rf"|(?=10\.)){_OCTET}(?:\.{_OCTET}){{3}}(?!\w|\.\d){_NO_VERSION_OF}"),
        ("network address", r"(?i)(?<![\w:.])(?:[0-9a-f]{1,4}:){7}[0-9a-f]{1,4}(?![\w:])"),
        ("network address", r"(?i)(?<![\w:.])(?:[0-9a-f]{1,4}(?::[0-9a-f]{1,4})*)?::[0-9a-f]{1,4}(?::[0-9a-f]{1,4})*"
                            r"(?![\w:])|(?<![\w:.])(?:[0-9a-f]{1,4}:){2,6}:(?![\w:])"),
        ("serial number", r"(?i)\b(?:serial(?:[ _-]?(?:number|no\.?|nr\.?|id)|\s*[=:#])|s/n|ppid|serien?nummer"
                          r"|n[uú]m[eé]ro de s[eé]rie|(?:asset|service)[ _-]tag"
                          r"|(?:board|chassis|system)[ _-](?:id|serial))\s*[=:#]?\s*(?=[\w-]*\d)[\w-]{4,}"),
        ("serial number", r"(?i:\bserial|\bSN)[ :=#]+(?=[A-Z0-9-]*\d)(?=[A-Z-]*[A-Z0-9])[A-Z0-9-]{6,}\b"
                          r"|\bi-[0-9a-f]{8,17}\b|\bVB[0-9a-f]{8}-[0-9a-f]{8}\b"
                          r"|(?<![\w.])(?=(?:[A-Z]*\d){6})(?=\d*[A-Z])[A-Z0-9]{12,}(?![\w.-])"
                          r"|\b(?:[A-Z0-9]{5}-){3,4}[A-Z0-9]{5}\b"),
        ("serial number", r"(?<![\w.])\d{13,}(?![\w.])|(?<![0-9a-zA-Z])(?<!commit )(?<!sha256 )(?=[0-9a-f]*\d)"
                          r"[0-9a-f]{24,}(?![0-9a-zA-Z])"),
        ("host name", rf"(?i)\b(?!file)[a-z][a-z0-9+.]*://(?!{_PUBLIC})[\w.-]+\S*"),
        ("path", rf"(?i)\bfile:/+{_COMPONENT}(?:/{_COMPONENT})*|/(?:home|users|root)/{_COMPONENT}(?:/{_COMPONENT})*"),
        ("path", r"(?i)(?<![\w.)])/(?:root|home|users)\b"),
        ("path", rf"(?i)\b[a-z]:(?:[\\/]+|(?=users[\\/]|\w+\\)){_COMPONENT}"
                 rf"(?:(?: {_COMPONENT}){{0,3}}[\\/]+{_COMPONENT})*"),
        ("user or host name", r"(?<![\w\\-])[A-Z][A-Z0-9-]*\\{1,2}[^\W\d][\w.-]+"),
        ("path", rf"(?:\\\\|(?<![\w:/])//){_COMPONENT}[\\/]{_COMPONENT}(?:[\\/]{_COMPONENT})*"),
        ("path", rf"(?:\b[a-z][\w-]+:(?=/)|(?<![\w.)/:]))/(?!(?:{_AT_HOME}|opt/(?:conda|intel|rocm|nvidia|cuda))\b)"
                 rf"{_COMPONENT}(?:/{_COMPONENT})+"),
        ("path", rf"~(?:{_COMPONENT})?/{_COMPONENT}(?:/{_COMPONENT})*|~[a-z]\w+"),
        ("path", rf"(?i)[$%](?:env:|[{{(])?\w*(?:home|user|profile|scratch|appdata)\w*[%)}}]?[\\/]{_COMPONENT}"
                 rf"(?:[\\/]{_COMPONENT})*"),
        ("host name", r"\b(?:DESKTOP|LAPTOP|WIN)-[A-Z0-9]{5,}\b|\bip[- ]\d+(?:-\d+){3}\b"
                      r"|\b(?:vm|instance|ws|srv|worker|login|compute|colab)-[a-z-]*\d[\w-]*"),
        ("name of a machine", r"(?i)\b(?!(?:gaming|mini|one|single|multi|old|\d+-year-old)-)[\w-]+-"
                      r"(?:laptop|desktop|workstation|pc|macbook|imac|mbp|thinkpad)(?!-gpu|-edition)(?:-[\w-]+)?\b"
                      r"|\b(?:nid|cn|gn|dgx)-?\d{2,}\b|\bgpu-[a-z]+-\d+\b"),
        ("host name", rf"(?i)(?<![\w.-])(?!{_PUBLIC}|{_PACKAGE}(?:\w+\.)*(?:internal|local|home|net|site|box)\b)"
                      r"(?:[a-z0-9-]+\.)+(?:local|localdomain|localnet|homenet|lan|internal|intra|intranet|priv|workgroup|corp"
                      r"|maas|lxd|openstacklocal|novalocal|speedport\.ip|example|lab|site|company|systems|university|hpc"
                      r"|home|com|org|net|edu|gov|mil|ac\.uk|box|arpa|xyz|biz|online|invalid|onion)\b(?![\w(])"),
        ("host name", r"(?i)(?<![\w./:-])(?:(?:node|worker|[a-z]*gpu[a-z]?|cpu|compute|head|login|frontend|db|srv"
                      r"|server|host|vm|ws|pc|runner|build|tpu|pod|dgx|hgx|k8s|tesla|[nc]|[cg]n|nid|r\d+(?:i\d+)?n)-?\d+"
                      rf"|[a-z][a-z0-9]*(?:-[a-z0-9]+)*-\d+)[a-z]?\.(?:[a-z][a-z0-9-]*\.)*(?!{_NO_DOMAIN}\b)"
                      r"[a-z][a-z0-9-]+(?![\w(.-])"),
        ("host name", rf"(?i)(?<![\w.-])(?!{_PACKAGE})"
                      r"[a-z][a-z0-9-]*\.(?:[a-z0-9-]+\.)+(?:de|fr|ch|nl|es|pl|se|cz|jp|cn|kr|ru|br|ca|au|eu|uk|at"
                      r"|be|dk|fi|no|gr|pt|ie|it|tr|tw|sg|nz|za|mx|ar|il|ua|ro|hu|sk|si|lt|lv|ee|lu)\b(?![\w(.])"),
        ("host name", r"(?i)(?<![\w.-])(?!(?:tf|np|io|(?:tensorflow|keras|scipy|numpy|torch|jax)(?!\.(?:io|dev)))\."
                      rf"|{_PUBLIC})[a-z][a-z0-9-]*(?:\.[a-z0-9-]+)+\.(?:io|dev|ai|app|cloud|tech)\b(?![\w(.])"),
        ("user or host name", r"(?i)(?<![a-z0-9])(?:\w+_)?(?:user|login|logname|whoami|sudo|computer"
                              r"|(?:host|node)(?:list)?|account|owner|ssid)[ _-]?(?:name)?(?:\s*[=:]\s*['(]?|\s+['])"
                              rf"(?!{_PUBLIC}){_NO_NAME}{_NO_NODE}{_NAME}"),
        ("user or host name", r"\b(?:[Uu]ser|[Uu]id|[Ll]ogin|[Aa]ccount|[Oo]wner|[Hh]ost|on (?:the )?node"
                              r"|[Cc]onnect\w* (?:to|from|with)) "
                              rf"(?!{_PUBLIC}){_NO_NAME}{_NO_NODE}{_NAME}"),
        ("user or host name", r"\b(?:host|node|machine|server|computer) (?!x86|aarch|arm|amd|cuda|e\d|v\d)"
                              rf"{_NO_NODE}[a-z][a-z-]*-?\d[\w-]*"),
        ("user or host name", rf"(?i)\b(?:(?:(?:user|host|login|machine|computer)[ _-]?name"
                              r"|node[ _-]?name(?!:? (?:is )?'?[\w.-]+/)"
                              rf"|logname|whoami):? (?:is )?{_NO_NAME}"
                              r"|user\.(?:name|email)\s*[=: ]\s*|logged in as |[ug]id=\d+\(|getpw\w+ |su -? ?"
                              r"|(?:home (?:(?:directory|folder) )?of|permission denied (?:for|to user)|chown"
                              r"|(?:host key|crontab|session opened|quota exceeded) for(?: user)?|getaddrinfo \w+ for"
                              r"|(?:owned|run) by(?: user)?|(?:author|signed-off-by|committer|maintainer):?"
                              r"|(?:benutzer|utilisateur|usuario|utente):?|NFS server|ping|ssh|scp|rsync"
                              rf"|rank \d+ (?:on|at)) {_NO_NAME}|(?:srun|slurmstepd): (?:error: )?(?=[\w-]+:)"
                              rf"|Step\w+=[\d.]+ on ){_NAME}|\b{_NAME} is not (?:allowed to run|in the) sudo"),
        ("host name", rf"(?i)(?<![\w./:-]){_NO_NODE}[a-z][\w-]*\d:\d{{4,5}}\b"
                      r"|\b(?:to|at|from|worker|chief) (?!localhost)[a-z][\w-]+:\d{2,5}\b"),
        ("user or host name", rf"(?i)\b\w*(?:addr(?:ess)?|_proxy|nodelist|_host|endpoint)\s*=\s*{_NAME}(?:\[[\d,-]+\])?"
                              rf"|(?<!\w){_NAME}:~\S* {_NAME}[$%#]"),
        ("user or host name", rf"(?i)\b(?:(?:conda|(?:micro)?mamba) (?:activate|env(?:ironment)?s?(?: name)?)"
                              rf"|env(?:ironment)? name|virtualenv):? ['(]?{_NO_ENV}{_NAME}"),
        ("phone number", r"(?<![\w.])(?:\+|00[1-9]\d?(?=[ ./-]))(?=(?:[ ()./-]*\d){9})\d{0,3}[ ./-]?"
                         r"(?:\(0\))?\(?\d{1,4}\)?(?:[ ./-]\d{2,}){1,4}"
                         r"(?!\d|[ ./-]\d| ?(?:bytes?|[kKMGT]i?B|samples|images|rows|steps|parameters|tokens|m?s)\b)"),
        ("phone number", r"(?<![\w.)])(?<!shape )(?<!sizes )(?:\([2-9]\d\d\) ?|[2-9]\d\d-)\d{3}-\d{4}(?![\w-])"
                         r"|(?<!\w)\(0\d{1,4}\) ?\d{3,}(?:[ -]\d{2,})*"
                         r"|(?i:\b(?:tel(?:efon|ephone)?|phone|fax|mobile?|handy|whatsapp))\.?:? [(+]?\d"
                         r"[\d ()/.-]{5,}\d"),
        ("user or host name", r"\bLinux (?!kernel|version)[\w.-]+ \d+\.\d+\.\d+-"),
        ("person's name", rf"\b{_NO_OWNER}[A-Z]\w+['’]s? (?:(?:gaming|home|new|old|own|private|work) )?"
                          r"(?:i?Mac|iP\w+|PC\b|[Ll]aptop|[Dd]esktop|[Cc]omputer|[Ww]orkstation|[Nn]otebook|machine\b"
                          r"|server\b|rig\b|box\b|ThinkPad|NAS\b)"
                          r"|\b(?:Mr|Mrs|Ms|Dr|Prof)\b\.? [A-Z]\w+"),
        ("person's name", rf"(?i)(?<![a-z])(?:{_GIVEN_NAMES})(?![a-z])"),
    )
)  # fmt: skip
UNREAD = frozenset({"cell_id", "commit", "source_hash", "started_at"})  # ids of ours, hashes, instants
IDS = frozenset({"id", "machine_id"})
IN_IDS = frozenset({"person's name", "name of a machine", "serial number", "hardware address", "UUID"})


@lru_cache(maxsize=4096)
def problem(text: str, key: str = "") -> str:
    """What is wrong with a text that stands under a key, as "expected ..., found ..."; empty if nothing is.

    A version may look like a network address; a label may quote what stands in code.
    """
    if len(text) > LONGEST:
        return f"expected at most {LONGEST} characters, found {len(text)}"
    shown = text.replace('"', "'") if key == "label" else text
    if not LINE.fullmatch(shown):
        if found := next((char for char in UNPLAIN.findall(shown) if not _is_letter(char)), ""):
            return f"expected one line of plain text without markup, found {found!a} in it"
        if HEAP.search("".join(map(_mark, shown))):
            return "expected marks on letters, found one alone or more than three on one"
    if not shown.isprintable() or unicodedata.normalize("NFC", shown) != shown:
        return "expected composed characters (NFC) that Unicode knows, found others"
    if found := TWO_SCRIPTS.search(shown):
        return f"expected words of one script, found {found[0]!a} in one"
    if found := FORMULA.match(text):
        return f"expected a text that begins with a letter or a digit, found {found[0]!a} there"
    folded = _folded(shown)
    for name, pattern in _read(key):
        if pattern.search(folded):
            return f"expected nothing that tells whose machine it is, found a {name}"
    return ""


def clean(text: str, key: str = "") -> str:
    """The text as it may be stored under a key: personal parts named instead of shown, markup replaced, one line."""
    kept = '"' if key == "label" else ""
    given = text
    text = text[: 10 * LONGEST].translate(WIDE)  # what is cut in the end need not be searched
    text = unicodedata.normalize("NFC", text)
    folded = _folded(text)
    if folded != text and any(pattern.search(folded) for _, pattern in PERSONAL):
        text = folded
    for name, pattern in _read(key):
        text = pattern.sub(f"({name})", text)
    text = "".join(
        char if char in kept else char.translate(STAND_INS) for char in re.sub(r"[^\S ]+", " ", text).strip()
    )
    text = "".join(char if char in kept or (_is_plain(char) and char.isprintable()) else "?" for char in text)
    while found := HEAP.search("".join(map(_mark, text))):
        text = f"{text[: found.end() - 1]}{text[found.end() :]}"
    while found := TWO_SCRIPTS.search(text):
        text = f"{text[: found.start() + 1]} {text[found.start() + 1 :]}"
    if re.match(r"-\d", text):
        text = f"−{text[1:]}"  # a number, not a formula
    while found := FORMULA.match(text):
        text = text[found.end() :]
    text = text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
    return "(left out)" if problem(text, key) or (given and not text) else text


def _is_plain(char: str) -> bool:
    return bool(LINE.fullmatch(char)) or _is_letter(char)


@lru_cache(maxsize=4096)
def _is_letter(char: str) -> bool:
    """Whether a character is a letter, a mark or a digit of a script that is not listed, and none that imitates one."""
    name = unicodedata.name(char, "")
    kind = unicodedata.category(char)
    is_own = kind in _KINDS or (kind in _PUNCTUATION and not "\u2000" <= char < "\u3040" and char > "\u0530")
    is_one = char < "\ue000" and (char in _AM or unicodedata.normalize("NFKC", char) == char)
    return is_own and is_one and not name.startswith(_LISTED) and not any(word in name for word in _BLANK)


@lru_cache(maxsize=4096)
def _mark(char: str) -> str:
    """A mark of a script as one character that is no other; anything else as it is."""
    return "\ue000" if unicodedata.category(char) in ("Mn", "Mc") else char


def cleaned(value: Any, key: str = "") -> Any:
    """Decoded JSON with every text as it may be stored."""
    if isinstance(value, str):
        return value if not problem(value, key) else clean(value, key)
    if isinstance(value, dict):
        return {name: cleaned(item, below(key, name)) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [cleaned(item, key) if isinstance(item, str | dict | list | tuple) else item for item in value]
    return value


def below(key: str, name: str) -> str:
    """The key under which a text stands: its own name, with that of the versions around it."""
    return f"versions.{name}" if key == "versions" else name


def _folded(text: str) -> str:
    """The text without other ways to write the same: compatible characters, and those in percent signs."""
    return unicodedata.normalize("NFKC", unquote(text))


@lru_cache
def _read(key: str) -> tuple[tuple[str, re.Pattern[str]], ...]:
    """What is looked for under a key: a version may look like a network address, an id is made of a model's name."""
    if key in UNREAD:
        return ()
    if key in IDS:
        return tuple(pair for pair in PERSONAL if pair[0] in IN_IDS)
    return tuple(pair for pair in PERSONAL if pair[0] != "network address" or not key.startswith("versions.nvidia"))

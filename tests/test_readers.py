"""Readers: real files are built here, each with one planted feature, and the exact text is asserted."""

from __future__ import annotations

import io
import re
import zipfile
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import docx
import openpyxl
import pytest

from nlp.errors import UnreadableFileError
from nlp.readers import Failure, Member, is_candidate, members, read
from nlp.readers.numbering import format_number
from nlp.records import Document, Paragraph, Row, Table

if TYPE_CHECKING:
    from docx.document import Document as WordDocument

_W_URI = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
_NAMESPACES = (
    f'xmlns:w="{_W_URI}" xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006" '
    'xmlns:wps="http://schemas.microsoft.com/office/word/2010/wordprocessingShape" '
    'xmlns:wp="http://schemas.openxmlformats.org/drawingml/2006/wordprocessingDrawing" '
    'xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main" xmlns:v="urn:schemas-microsoft-com:vml" '
    'xmlns:m="http://schemas.openxmlformats.org/officeDocument/2006/math"'
)
_TYPES = (
    '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
    '<Override PartName="/word/document.xml" ContentType="application/vnd.openxmlformats-officedocument.'
    'wordprocessingml.document.main+xml"/></Types>'
)
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"


def zipped(files: dict[str, bytes | str]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return out.getvalue()


def relations(*targets: tuple[str, str]) -> str:
    rows = "".join(
        f'<Relationship Id="r{i}" Type="{_OFFICE}/{kind}" Target="{target}"/>'
        for i, (kind, target) in enumerate(targets)
    )
    return f'<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">{rows}</Relationships>'


def word(body: str, **parts: str) -> bytes:
    """A Word file of bare XML; ``parts`` are the insides of styles, numbering, footnotes, endnotes."""
    files: dict[str, bytes | str] = {
        "[Content_Types].xml": _TYPES,
        "_rels/.rels": relations(("officeDocument", "word/document.xml")),
        "word/document.xml": f"<w:document {_NAMESPACES}><w:body>{body}</w:body></w:document>",
        "word/_rels/document.xml.rels": relations(*((kind, f"{kind}.xml") for kind in parts)),
    }
    for kind, inside in parts.items():
        files[f"word/{kind}.xml"] = f"<w:{kind} {_NAMESPACES}>{inside}</w:{kind}>"
    return zipped(files)


def p(text: str, properties: str = "") -> str:
    return f"<w:p><w:pPr>{properties}</w:pPr>{r(text)}</w:p>"


def r(text: str, properties: str = "") -> str:
    return f'<w:r><w:rPr>{properties}</w:rPr><w:t xml:space="preserve">{text}</w:t></w:r>'


def tc(inside: str, properties: str = "") -> str:
    return f"<w:tc><w:tcPr>{properties}</w:tcPr>{inside}</w:tc>"


def tr(*cells: str) -> str:
    return f"<w:tr>{''.join(cells)}</w:tr>"


def texts(document: Document) -> list[str]:
    return [block.text for block in document.blocks if isinstance(block, Paragraph)]


def tables(document: Document) -> list[tuple[tuple[str, ...], ...]]:
    return [tuple(row.cells for row in block.rows) for block in document.blocks if isinstance(block, Table)]


def body_texts(body: str, **parts: str) -> list[str]:
    return texts(read(word(body, **parts), "a.docx"))


def saved(document: WordDocument) -> bytes:
    out = io.BytesIO()
    document.save(out)
    return out.getvalue()


# ------------------------------------------------------------------------------------------------------------ docx


def test_docx_of_word_keeps_body_order_headings_and_title() -> None:
    document = docx.Document()
    document.core_properties.title = "云溪县财政局绩效自评报告"
    document.add_heading("一、基本情况", level=1)
    document.add_paragraph("职能概述。")
    table = document.add_table(rows=2, cols=2)
    for cell, text in zip([*table.rows[0].cells, *table.rows[1].cells], ["指标", "得分", "产出", "48"], strict=True):
        cell.text = text
    document.add_heading("（一）机构", level=2)
    document.sections[0].header.paragraphs[0].text = "页眉不读"
    assert read(saved(document), "a.docx") == Document(
        (
            Paragraph("一、基本情况", heading=1),
            Paragraph("职能概述。"),
            Table((Row(("指标", "得分")), Row(("产出", "48")))),
            Paragraph("（一）机构", heading=2),
        ),
        "docx",
        title="云溪县财政局绩效自评报告",
    )


def test_docx_line_breaks_tabs_hyphens_symbols_and_math() -> None:
    body = (
        "<w:p><w:r><w:t>甲</w:t><w:br/><w:t>乙</w:t><w:tab/><w:t>丙</w:t><w:noBreakHyphen/>"
        '<w:sym w:font="Wingdings" w:char="F0FE"/><w:sym w:font="宋体" w:char="2460"/><w:softHyphen/></w:r>'
        "<m:oMath><m:r><m:t>x=1</m:t></m:r></m:oMath></w:p>"
    )
    assert body_texts(body) == ["甲\n乙\t丙-☑①x=1"]


def test_docx_ruby_keeps_the_base() -> None:
    ruby = f"<w:r><w:ruby><w:rt>{r('yun')}</w:rt><w:rubyBase>{r('云')}</w:rubyBase></w:ruby></w:r>"
    assert body_texts(f"<w:p>{ruby}{r('溪')}</w:p>") == ["云溪"]


def test_docx_tracked_changes_are_accepted() -> None:
    kept = f"<w:ins>{r('新增')}</w:ins>"
    gone = "<w:del><w:r><w:delText>删去</w:delText></w:r></w:del>"
    moved = f"<w:moveFrom>{r('原处')}</w:moveFrom><w:moveTo>{r('新处')}</w:moveTo>"
    assert body_texts(f"<w:p>{r('一')}{kept}{gone}{moved}</w:p>") == ["一新增新处"]


def test_docx_deleted_paragraph_mark_joins_the_next_paragraph() -> None:
    body = p("预算执行", "<w:rPr><w:del/></w:rPr>") + p("率偏低。") + p("完。")
    assert body_texts(body) == ["预算执行率偏低。", "完。"]


def test_docx_deleted_row_is_dropped() -> None:
    gone = f"<w:tr><w:trPr><w:del/></w:trPr>{tc(p('旧'))}{tc(p('1'))}</w:tr>"
    body = f"<w:tbl>{tr(tc(p('新')), tc(p('2')))}{gone}</w:tbl>"
    assert tables(read(word(body), "a.docx")) == [(("新", "2"),)]


def test_docx_hidden_text_is_dropped_by_run_and_by_style() -> None:
    styles = (
        '<w:style w:type="character" w:styleId="H"><w:name w:val="批注隐藏"/><w:rPr><w:vanish/></w:rPr></w:style>'
        '<w:style w:type="paragraph" w:styleId="G"><w:name w:val="隐藏段"/><w:rPr><w:vanish/></w:rPr></w:style>'
    )
    by_style = r("也不见", '<w:rStyle w:val="H"/>')
    shown = r("仍可见", '<w:vanish w:val="0"/>')
    whole = r("整段不见") + r("除此", '<w:vanish w:val="false"/>')
    body = (
        f"<w:p>{r('看得见')}{r('看不见', '<w:vanish/>')}{by_style}{shown}</w:p>"
        f'<w:p><w:pPr><w:pStyle w:val="G"/></w:pPr>{whole}</w:p>'
    )
    assert body_texts(body, styles=styles) == ["看得见仍可见", "除此"]


def test_docx_field_codes_are_dropped_and_results_kept() -> None:
    def char(kind: str) -> str:
        return f'<w:r><w:fldChar w:fldCharType="{kind}"/></w:r>'

    code = '<w:r><w:instrText> IF 1 = 1 "甲" "乙" </w:instrText></w:r>'
    nested = f"{char('begin')}{code}{char('begin')}{r('内层的码')}{char('separate')}{r('内层')}{char('end')}"
    body = (
        f"<w:p>{nested}{char('separate')}{r('结果')}{char('end')}{r('之后')}</w:p>"
        f'<w:p><w:fldSimple w:instr="PAGE">{r("简单域")}</w:fldSimple></w:p>'
        f"<w:p>{r('前')}{char('begin')}{code}</w:p>"
        f"{p('没有结束的域不吞掉后文')}"
    )
    assert body_texts(body) == ["结果之后", "简单域", "前", "没有结束的域不吞掉后文"]


def test_docx_content_controls_are_unwrapped_around_text_rows_and_tables() -> None:
    def sdt(inside: str) -> str:
        return f"<w:sdt><w:sdtPr/><w:sdtContent>{inside}</w:sdtContent></w:sdt>"

    row = tr(tc(p("甲")), sdt(tc(p("1"))))
    body = sdt(p("段") + sdt(p("套"))) + sdt(f"<w:tbl>{sdt(row)}</w:tbl>") + f"<w:p>{sdt(r('行内'))}</w:p>"
    document = read(word(body), "a.docx")
    assert texts(document) == ["段", "套", "行内"]
    assert tables(document) == [(("甲", "1"),)]


def test_docx_table_of_contents_is_dropped_by_style_and_by_control() -> None:
    styles = '<w:style w:type="paragraph" w:styleId="21"><w:name w:val="toc 1"/></w:style>'
    control = (
        '<w:sdt><w:sdtPr><w:docPartObj><w:docPartGallery w:val="Table of Contents"/></w:docPartObj></w:sdtPr>'
        f"<w:sdtContent>{p('目录')}</w:sdtContent></w:sdt>"
    )
    body = control + p("一、基本情况\t1", '<w:pStyle w:val="21"/>') + p("一、基本情况")
    assert body_texts(body, styles=styles) == ["一、基本情况"]


def test_docx_text_box_follows_its_paragraph_once() -> None:
    box = f"<w:txbxContent>{p('框内一')}{p('框内二')}</w:txbxContent>"
    drawing = f"<w:drawing><wp:inline><a:graphic><wps:wsp><wps:txbx>{box}</wps:txbx></wps:wsp></a:graphic></wp:inline></w:drawing>"
    picture = f"<w:pict><v:shape><v:textbox>{box}</v:textbox></v:shape></w:pict>"
    both = (
        f'<mc:AlternateContent><mc:Choice Requires="wps">{drawing}</mc:Choice>'
        f"<mc:Fallback>{picture}</mc:Fallback></mc:AlternateContent>"
    )
    body = f"<w:p><w:r><w:t>锚</w:t>{both}</w:r></w:p>{p('后')}<w:p><w:r>{picture}</w:r></w:p>"
    assert body_texts(body) == ["锚", "框内一", "框内二", "后", "框内一", "框内二"]


def test_docx_fallback_is_read_where_the_choice_holds_no_text() -> None:
    both = (
        '<mc:AlternateContent><mc:Choice Requires="w16se"><w:symEx/></mc:Choice>'
        "<mc:Fallback><w:t>①</w:t></mc:Fallback></mc:AlternateContent>"
    )
    assert body_texts(f"<w:p><w:r>{both}<w:t>项目</w:t></w:r></w:p>") == ["①项目"]


def test_docx_notes_follow_the_paragraph_or_the_table_that_refers_to_them() -> None:
    footnotes = (
        f'<w:footnote w:type="separator" w:id="0">{p("线")}</w:footnote><w:footnote w:id="2">{p("脚注甲")}</w:footnote>'
    )
    endnotes = f'<w:endnote w:id="1">{p("尾注乙")}</w:endnote>'
    foot = '<w:r><w:footnoteReference w:id="2"/></w:r>'
    end = '<w:r><w:endnoteReference w:id="1"/></w:r>'
    cell = f"<w:p>{r('格')}{end}</w:p>"
    table = f"<w:tbl>{tr(tc(cell), tc(p('2')))}</w:tbl>"
    document = read(
        word(f"<w:p>{r('正文')}{foot}</w:p>{table}{p('后文')}", footnotes=footnotes, endnotes=endnotes), "a.docx"
    )
    assert document.blocks == (
        Paragraph("正文"),
        Paragraph("脚注甲"),
        Table((Row(("格", "2")),)),
        Paragraph("尾注乙"),
        Paragraph("后文"),
    )


def test_docx_merged_cells_stand_in_each_row_and_in_their_first_column() -> None:
    start, on, wide = '<w:vMerge w:val="restart"/>', "<w:vMerge/>", '<w:gridSpan w:val="2"/>'
    body = (
        "<w:tbl>"
        + tr(tc(p("一级"), start), tc(p("合计"), wide), tc(p("分值")))
        + tr(tc(p(""), on), tc(p("甲")), tc(p("乙")), tc(p("10")))
        + tr(tc(p("丙")), tc(p("丁")), tc(p("戊")), tc(p("") + p("1") + p("2")))
        + "</w:tbl>"
    )
    assert tables(read(word(body), "a.docx")) == [
        (("一级", "合计", "", "分值"), ("一级", "甲", "乙", "10"), ("丙", "丁", "戊", "1\n2"))
    ]


def test_docx_nested_table_is_flattened_into_its_cell() -> None:
    inner = f"<w:tbl>{tr(tc(p('内1')), tc(p('内2')))}{tr(tc(p('内3')), tc(p('内4')))}</w:tbl>"
    body = f"<w:tbl>{tr(tc(p('外')), tc(p('前') + inner + p('')))}</w:tbl>"
    assert tables(read(word(body), "a.docx")) == [(("外", "前\n内1 内2\n内3 内4"),)]


def test_docx_single_column_table_is_a_frame() -> None:
    heading = p("框内标题", '<w:outlineLvl w:val="0"/>')
    body = f"<w:tbl>{tr(tc(heading + p('正文。')))}</w:tbl>"
    assert read(word(body), "a.docx").blocks == (Paragraph("框内标题", heading=1), Paragraph("正文。"))


def test_docx_heading_level_from_style_chain_name_and_outline() -> None:
    styles = (
        '<w:style w:type="paragraph" w:default="1" w:styleId="a"><w:name w:val="Normal"/></w:style>'
        '<w:style w:type="paragraph" w:styleId="2"><w:name w:val="heading 2"/><w:basedOn w:val="a"/></w:style>'
        '<w:style w:type="paragraph" w:styleId="x"><w:name w:val="我的小标题"/><w:basedOn w:val="2"/></w:style>'
        '<w:style w:type="paragraph" w:styleId="y"><w:name w:val="标题 3"/></w:style>'
        '<w:style w:type="paragraph" w:styleId="z"><w:name w:val="自定"/><w:basedOn w:val="z"/>'
        '<w:pPr><w:outlineLvl w:val="3"/></w:pPr></w:style>'
    )
    body = (
        p("甲", '<w:pStyle w:val="x"/>')
        + p("乙", '<w:pStyle w:val="y"/>')
        + p("丙", '<w:pStyle w:val="z"/>')
        + p("丁", '<w:outlineLvl w:val="0"/>')
        + p("戊", '<w:pStyle w:val="x"/><w:outlineLvl w:val="9"/>')
        + p("己")
    )
    document = read(word(body, styles=styles), "a.docx")
    assert [(b.text, b.heading) for b in document.blocks if isinstance(b, Paragraph)] == [
        ("甲", 2),
        ("乙", 3),
        ("丙", 4),
        ("丁", 1),
        ("戊", None),
        ("己", None),
    ]


def test_docx_strict_namespace_and_missing_parts_are_read() -> None:
    files: dict[str, bytes | str] = {
        "[Content_Types].xml": _TYPES,
        "_rels/.rels": relations(("officeDocument", "/word/document.xml")),
        "word/document.xml": (
            '<w:document xmlns:w="http://purl.oclc.org/ooxml/wordprocessingml/main"><w:body><w:p><w:r><w:t>严格</w:t>'
            "</w:r></w:p></w:body></w:document>"
        ),
        "word/_rels/document.xml.rels": relations(("styles", "../NULL"), ("numbering", "numbering.xml")),
    }
    assert texts(read(zipped(files), "a.wps")) == ["严格"]


# ------------------------------------------------------------------------------------------------ automatic numbers


def level(at: int, kind: str, text: str, extra: str = "") -> str:
    return (
        f'<w:lvl w:ilvl="{at}"><w:start w:val="1"/><w:numFmt w:val="{kind}"/><w:lvlText w:val="{text}"/>{extra}</w:lvl>'
    )


def abstract(number: int, *levels: str) -> str:
    return f'<w:abstractNum w:abstractNumId="{number}">{"".join(levels)}</w:abstractNum>'


def num(number: int, of: int, overrides: str = "") -> str:
    return f'<w:num w:numId="{number}"><w:abstractNumId w:val="{of}"/>{overrides}</w:num>'


def item(text: str, number: int, at: int = 0) -> str:
    return p(text, f'<w:numPr><w:ilvl w:val="{at}"/><w:numId w:val="{number}"/></w:numPr>')


REPORT = abstract(
    0,
    level(0, "chineseCountingThousand", "%1、"),
    level(1, "chineseCounting", "（%2）"),
    level(2, "decimal", "%3."),
    level(3, "decimalEnclosedCircle", "%4"),
) + num(1, 0)


def test_numbers_of_a_report_count_and_restart_below_higher_levels() -> None:
    body = (
        item("基本情况", 1)
        + item("职能", 1, 1)
        + item("机构", 1, 1)
        + item("2024年", 1, 2)
        + item("细目", 1, 3)
        + item("存在的问题", 1)
        + item("执行", 1, 1)
        + item("", 1, 1)
        + item("指标", 1, 1)
    )
    assert body_texts(body, numbering=REPORT) == [
        "一、基本情况",
        "（一）职能",
        "（二）机构",
        "1. 2024年",
        "①细目",
        "二、存在的问题",
        "（一）执行",
        "（三）指标",
    ]


def test_number_that_is_typed_as_well_is_not_doubled() -> None:
    body = item("一、基本情况", 1) + item("二 、绩效目标", 1) + item("(一)职能", 1, 1) + item("一是…", 1, 1)
    assert body_texts(body, numbering=REPORT) == ["一、基本情况", "二 、绩效目标", "(一)职能", "（二）一是…"]


def test_numbers_of_several_levels_and_legal_ones() -> None:
    numbering = abstract(
        0,
        level(0, "chineseCounting", "第%1部分"),
        level(1, "decimal", "%1.%2", "<w:isLgl/>"),
        level(2, "upperLetter", "%1.%2-%3"),
    ) + num(1, 0)
    body = item("概况", 1) + item("职能", 1, 1) + item("编制", 1, 2) + item("收支", 1) + item("预算", 1, 1)
    assert body_texts(body, numbering=numbering) == [
        "第一部分概况",
        "1.1 职能",
        "一.1-A 编制",
        "第二部分收支",
        "2.1 预算",
    ]


def test_number_restarts_only_where_the_list_says_so() -> None:
    numbering = abstract(
        0,
        level(0, "decimal", "%1、"),
        level(1, "decimal", "（%2）", '<w:lvlRestart w:val="0"/>'),
        level(2, "decimal", "%3)", '<w:lvlRestart w:val="1"/>'),
    ) + num(1, 0)
    steps = [0, 1, 2, 1, 2, 0, 1, 2]
    body = "".join(item("项", 1, at) for at in steps)
    assert body_texts(body, numbering=numbering) == [
        "1、项",
        "（1）项",
        "1)项",
        "（2）项",
        "2)项",
        "2、项",
        "（3）项",
        "1)项",
    ]


def test_lists_share_a_count_unless_one_starts_anew() -> None:
    override = '<w:lvlOverride w:ilvl="0"><w:startOverride w:val="5"/></w:lvlOverride>'
    own = f'<w:lvlOverride w:ilvl="0">{level(0, "lowerLetter", "%1)")}</w:lvlOverride>'
    numbering = abstract(0, level(0, "decimal", "%1、")) + num(1, 0) + num(2, 0) + num(3, 0, override) + num(4, 0, own)
    body = "".join(item("项", number) for number in (1, 2, 3, 3, 1, 4))
    assert body_texts(body, numbering=numbering) == ["1、项", "2、项", "5、项", "6、项", "7、项", "h)项"]


def test_number_comes_through_style_inheritance_and_is_switched_off_by_zero() -> None:
    numbering = abstract(
        0,
        level(0, "chineseCounting", "%1、", '<w:pStyle w:val="h1"/>'),
        level(1, "chineseCounting", "（%2）", '<w:pStyle w:val="h2"/>'),
    ) + num(7, 0)
    styles = (
        '<w:style w:type="paragraph" w:styleId="h1"><w:name w:val="heading 1"/><w:pPr><w:numPr><w:numId w:val="7"/>'
        "</w:numPr></w:pPr></w:style>"
        '<w:style w:type="paragraph" w:styleId="h2"><w:name w:val="heading 2"/><w:basedOn w:val="h1"/></w:style>'
    )
    body = (
        p("甲", '<w:pStyle w:val="h1"/>')
        + p("乙", '<w:pStyle w:val="h2"/>')
        + p("丙", '<w:pStyle w:val="h1"/><w:numPr><w:numId w:val="0"/></w:numPr>')
        + p("丁", '<w:pStyle w:val="h1"/>')
    )
    assert read(word(body, numbering=numbering, styles=styles), "a.docx").blocks == (
        Paragraph("一、甲", heading=1),
        Paragraph("（一）乙", heading=2),
        Paragraph("丙", heading=1),
        Paragraph("二、丁", heading=1),
    )


def test_number_of_a_list_style() -> None:
    numbering = (
        abstract(0, level(0, "decimal", "%1、"))
        + '<w:abstractNum w:abstractNumId="1"><w:numStyleLink w:val="L"/></w:abstractNum>'
        + num(1, 0)
        + num(2, 1)
    )
    styles = (
        '<w:style w:type="numbering" w:styleId="L"><w:name w:val="我的列表"/><w:pPr><w:numPr><w:numId w:val="1"/>'
        "</w:numPr></w:pPr></w:style>"
    )
    assert body_texts(item("甲", 2) + item("乙", 2), numbering=numbering, styles=styles) == ["1、甲", "2、乙"]


def test_bullets_of_symbol_fonts_become_one_sign_and_others_stay() -> None:
    symbol = level(0, "bullet", "\uf06c", '<w:rPr><w:rFonts w:ascii="Wingdings"/></w:rPr>')
    numbering = abstract(0, symbol) + abstract(1, level(0, "bullet", "——")) + num(1, 0) + num(2, 1)
    assert body_texts(item("甲", 1) + item("乙", 2), numbering=numbering) == ["•甲", "——乙"]


def test_column_of_automatic_numbers_is_kept_in_a_table_and_deleted_items_do_not_count() -> None:
    deleted = (
        p("删", '<w:numPr><w:ilvl w:val="0"/><w:numId w:val="1"/></w:numPr><w:rPr><w:del/></w:rPr>')
        .replace("<w:r>", "<w:del><w:r>")
        .replace("</w:p>", "</w:del></w:p>")
    )
    rows = "".join(tr(tc((deleted if i else "") + item("", 1)), tc(p(text))) for i, text in enumerate("甲乙"))
    assert tables(read(word(f"<w:tbl>{rows}</w:tbl>", numbering=REPORT), "a.docx")) == [
        (("一、", "甲"), ("二、", "乙"))
    ]


@pytest.mark.parametrize(
    ("kind", "value", "written"),
    [
        ("decimal", 12, "12"),
        ("decimalZero", 7, "07"),
        ("chineseCounting", 21, "二十一"),
        ("chineseCountingThousand", 1010, "一千零一十"),
        ("japaneseCounting", 19, "十九"),
        ("chineseLegalSimplified", 12, "壹拾贰"),
        ("ideographTraditional", 10, "癸"),
        ("ideographTraditional", 11, "11"),
        ("ideographZodiac", 12, "亥"),
        ("ideographZodiacTraditional", 11, "甲戌"),
        ("ideographDigital", 20, "二○"),
        ("decimalEnclosedCircle", 20, "⑳"),
        ("decimalEnclosedCircle", 21, "21"),
        ("decimalEnclosedParen", 2, "⑵"),
        ("decimalFullWidth", 10, "１０"),
        ("lowerLetter", 28, "bb"),
        ("upperLetter", 3, "C"),
        ("upperRoman", 1994, "MCMXCIV"),
        ("lowerRoman", 9, "ix"),
        ("none", 3, ""),
        ("chineseCounting", 0, "0"),
        ("unheardOf", 3, "3"),
    ],
)
def test_number_formats(kind: str, value: int, written: str) -> None:
    assert format_number(value, kind) == written


# ------------------------------------------------------------------------------------------------------------ html

PAGE = """<!DOCTYPE html><html><head><meta charset="{charset}"><title> 云溪县
 水务局 </title><style>p{{}}</style></head><body><nav>首页 &gt; 公开</nav><header>站名</header>
<script>var a = "x";</script><h1>绩效自评报告</h1><div>前言<p>第一段，
第二行&nbsp;&nbsp;<b>加粗</b>。</p>尾巴</div><p style="display: none">藏</p><p hidden>藏</p>
<p>一是甲；<br>二是乙。<br><br>　　另起一段。</p><h2>二、问题</h2><pre>行一
行二</pre><table><caption>自评表</caption><tr><th rowspan="2">一级</th><th colspan="2">得分</th></tr>
<tr><td>甲<br>乙</td><td><p>1</p><p>2</p></td></tr></table><footer>版权</footer></body></html>"""


@pytest.mark.parametrize(
    ("charset", "encoding"),
    [("utf-8", "utf-8"), ("gb2312", "gb18030"), ("GBK", "utf-8"), ("utf-8", "gb18030"), ("utf-8", "utf-16")],
)
def test_html_blocks_in_any_encoding(charset: str, encoding: str) -> None:
    document = read(PAGE.format(charset=charset).encode(encoding), "page.html")
    assert document == Document(
        (
            Paragraph("绩效自评报告", heading=1),
            Paragraph("前言"),
            Paragraph("第一段，第二行 加粗。"),
            Paragraph("尾巴"),
            Paragraph("一是甲；\n二是乙。"),
            Paragraph("另起一段。"),
            Paragraph("二、问题", heading=2),
            Paragraph("行一\n行二"),
            Table((Row(("一级", "得分", "")), Row(("一级", "甲\n乙", "1\n2"))), "自评表"),
        ),
        "html",
        title="云溪县 水务局",
    )


def test_html_charset_of_the_page_decides_where_bytes_do_not() -> None:
    page = '<html><head><meta http-equiv="Content-Type" content="text/html; charset=big5"></head><p>績效評估</p></html>'
    assert texts(read(page.encode("big5"), "a.html")) == ["績效評估"]


def test_html_layout_tables_are_unwrapped() -> None:
    prose = "".join(f"<p>{'项目执行情况总体良好，' * 10}第{i}段。</p>" for i in range(3))
    page = (
        f"<html><body><table><tr><td><h1>标题</h1></td></tr><tr><td>正文。</td></tr></table>"
        f"<table><tr><td>导航</td><td>{prose}</td></tr></table>"
        f"<table><tr><td>外</td><td><table><tr><td>甲</td><td>1</td></tr></table></td></tr></table></body></html>"
    )
    document = read(page.encode(), "a.html")
    long = "项目执行情况总体良好，" * 10
    assert document.blocks == (
        Paragraph("标题", heading=1),
        Paragraph("正文。"),
        Paragraph("导航"),
        *(Paragraph(f"{long}第{i}段。") for i in range(3)),
        Paragraph("外"),
        Table((Row(("甲", "1")),)),
    )


def test_html_table_with_a_head_is_no_frame_however_long_its_cells_are() -> None:
    steps = [f"{n}是{'按月通报支付进度，' * 10}约谈负责人。" for n in "一二三"]
    page = (
        "<table><tr><th>序号</th><th>存在问题</th><th>整改情况</th></tr>"
        f"<tr><td>1</td><td>资金闲置。</td><td>{''.join(f'<p>{step}</p>' for step in steps)}</td></tr></table>"
    )
    assert tables(read(page.encode(), "a.html")) == [
        (("序号", "存在问题", "整改情况"), ("1", "资金闲置。", "\n".join(steps)))
    ]


def test_html_frame_with_navigation_above_is_unwrapped() -> None:
    prose = [f"{'项目执行情况总体良好，' * 10}第{i}段。" for i in range(3)]
    article = "".join(f"<p>{part}</p>" for part in prose)
    page = f"<table><tr><td><a href=/>首页</a></td><td>公开</td></tr><tr><td>栏目</td><td>{article}</td></tr></table>"
    assert texts(read(page.encode(), "a.html")) == ["首页", "公开", "栏目", *prose]


def test_html_header_of_an_article_is_kept() -> None:
    page = "<html><body><article><header><h1>题</h1></header><p>文</p></article></body></html>"
    assert read(page.encode(), "a.html").blocks == (Paragraph("题", heading=1), Paragraph("文"))


def test_html_rowspan_beyond_the_table_and_hidden_rows() -> None:
    page = (
        "<table><tr><td rowspan=99>甲</td><td>1</td></tr><tr style='display:none'><td>藏</td></tr>"
        "<tr><td>2</td></tr><tr><td rowspan=0>丙</td><td colspan=x>丁</td></tr></table>"
    )
    assert tables(read(page.encode(), "a.htm")) == [(("甲", "1", ""), ("甲", "2", ""), ("甲", "丙", "丁"))]


# ------------------------------------------------------------------------------------------------------------ xlsx, csv


def book_bytes(book: openpyxl.Workbook) -> bytes:
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def test_xlsx_values_are_printed_and_merges_filled() -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.title = "自评表"
    sheet.append([None, "指标", "执行率", "金额", "日期", "时间", "备注"])
    sheet.append([])
    sheet.append([None, "产出", 0.8623, 12345.6, date(2024, 3, 1), datetime.fromisoformat("2024-03-01T09:30"), True])
    sheet.append([None, None, 1, 12.0, 0.1 + 0.2, 8 / 3, " 甲\r\n乙 "])
    for cell, number_format in {"C3": "0.00%", "C4": "0%", "D3": "#,##0.00", "F4": "0.00_);(0.00)"}.items():
        sheet[cell].number_format = number_format
    sheet.merge_cells("B3:B4")
    book.create_sheet("空表")
    hidden = book.create_sheet("底稿")
    hidden["A1"] = "藏"
    hidden.sheet_state = "hidden"
    book.properties.title = "题名"
    assert read(book_bytes(book), "a.xlsx") == Document(
        (
            Table(
                (
                    Row(("指标", "执行率", "金额", "日期", "时间", "备注")),
                    Row(("产出", "86.23%", "12345.6", "2024-03-01", "2024-03-01 09:30", "TRUE")),
                    Row(("产出", "100%", "12", "0.3", "2.67", "甲\n乙")),
                ),
                "自评表",
            ),
        ),
        "xlsx",
        title="题名",
        warnings=("工作表“底稿”是隐藏的，没有读。",),
    )


@pytest.mark.parametrize(
    ("value", "number_format", "printed"),
    [
        (1234.5, '0.00"万元"', "1234.5万元"),
        (-1234.5, '0.00"万元";[Red]\\-0.00"万元"', "-1234.5万元"),
        (12345678, "#,##0.00,", "12345.68"),
        (12345678, '0!.0,"万元"', "1234.6万元"),
        (12345678, '0\\.00,"万元"', "123.46万元"),
        (2024, 'General"年"', "2024年"),
        (3, '"第"0"名"', "第3名"),
        (500, '[>=10000]0!.0,"万元";0"元"', "500"),
        (-0.05, "0.00%;;", "-5.00%"),
        (-1234.5, '_ "¥"* #,##0.00_ ;_ "¥"* \\-#,##0.00_ ;_ "¥"* "-"??_ ;_ @_ ', "-1234.5"),
    ],
)
def test_xlsx_numbers_are_printed_with_their_unit(value: float, number_format: str, printed: str) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append(["金额", value])
    sheet["B1"].number_format = number_format
    assert tables(read(book_bytes(book), "a.xlsx")) == [(("金额", printed),)]


def test_xlsx_of_the_strict_standard_is_read() -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append(["部门", "执行率"])
    sheet.append(["青禾县教育局", 0.8623])
    sheet["B2"].number_format = "0.0%"
    usual, strict = (
        rb"http://schemas\.openxmlformats\.org/(spreadsheetml|officeDocument)/2006/",
        rb"http://purl.oclc.org/ooxml/\1/",
    )
    with zipfile.ZipFile(io.BytesIO(book_bytes(book))) as archive:
        parts: dict[str, bytes | str] = {name: re.sub(usual, strict, archive.read(name)) for name in archive.namelist()}
    assert tables(read(zipped(parts), "a.xlsx")) == [(("部门", "执行率"), ("青禾县教育局", "86.2%"))]


def test_xlsx_cell_merged_over_columns_stands_in_the_first() -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    for row in (["合计", None, "分"], ["甲", "乙", 1], ["总", None, 2], [None, None, 3]):
        sheet.append(row)
    sheet.merge_cells("A1:B1")
    sheet.merge_cells("A3:B4")
    assert tables(read(book_bytes(book), "a.xlsx")) == [
        (("合计", "", "分"), ("甲", "乙", "1"), ("总", "", "2"), ("总", "", "3"))
    ]


def test_xlsx_formula_without_a_result_is_empty_with_a_warning() -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append(["甲", 1, "=B1*2"])
    document = read(book_bytes(book), "a.xlsx")
    assert tables(document) == [(("甲", "1"),)]
    assert document.warnings == ("有 1 个公式没有保存计算结果，按空白处理；请用 Excel 或 WPS 打开，保存后再导入。",)


def test_xlsx_formula_with_a_result_is_read() -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append(["甲", 1, "=B1*2"])
    patched: dict[str, bytes | str] = {}
    with zipfile.ZipFile(io.BytesIO(book_bytes(book))) as archive:
        for entry in archive.namelist():
            part = archive.read(entry)
            for bare in (b"<f>B1*2</f><v />", b"<f>B1*2</f><v></v>"):
                part = part.replace(bare, b"<f>B1*2</f><v>2</v>")
            patched[entry] = part
    document = read(zipped(patched), "a.xlsx")
    assert tables(document) == [(("甲", "1", "2"),)]
    assert document.warnings == ()


def test_xlsx_with_a_cell_in_the_last_corner_is_quick_and_small() -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet["A1"] = "甲"
    sheet["XFD1048576"] = "角"
    with pytest.raises(UnreadableFileError, match="工作表超过 200000 行"):
        read(book_bytes(book), "a.xlsx")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
def test_csv_in_any_encoding(encoding: str) -> None:
    text = '指标,分值,说明\r\n产出,50,"数量, 质量\n时效"\r\n\r\n效益,30,\r\n'
    assert read(text.encode(encoding), "a.csv") == Document(
        (Table((Row(("指标", "分值", "说明")), Row(("产出", "50", "数量, 质量\n时效")), Row(("效益", "30", "")))),),
        "csv",
    )


@pytest.mark.parametrize("place", [0, 1, 2])
def test_csv_quote_without_its_fellow_swallows_no_rows(place: int) -> None:
    rows = [["1", "闲置120万元。"], ["2", "未入账。"], ["3", "超预算。"]]
    rows[place][1] = '"双控' + rows[place][1]
    text = "序号,问题\n" + "\n".join(",".join(row) for row in rows)
    document = read(text.encode(), "a.csv")
    assert tables(document) == [(("序号", "问题"), *map(tuple, rows))]
    assert document.warnings == ()


def test_csv_rows_that_may_have_been_swallowed_are_told() -> None:
    rows = "".join(f"{i},教育局,未入账。\n" for i in range(1, 9))
    document = read(f'序号,部门,问题\n{rows}9,教育局,"双控不严。\n10,水利局,超预算。\n合计,10\n'.encode(), "a.csv")
    assert document.warnings == (
        "第 10 行有一格里像是并进了后面的几行，可能引号不成对；请检查，或另存为 .xlsx 后再导入。",
    )


@pytest.mark.parametrize(
    ("text", "name", "kind"),
    [
        ("指标\t分值\n产出\t50\n", "a.txt", "csv"),
        ("标题\n指标,分值\n产出,50\n效益,30\n", "a.csv", "csv"),
        ("标题\n指标,分值\n产出,50\n效益,30\n", "a.txt", "txt"),
        ("一、基本情况\n无。\n", "a.csv", "txt"),
        ("云溪县,绩效\n", "a.txt", "txt"),
        ("预算执行率低。,原因不明\n进度慢。,原因不明\n", "a.txt", "txt"),
        ("甲\t乙\n正文没有制表符\n", "a.txt", "txt"),
    ],
)
def test_table_or_text(text: str, name: str, kind: str) -> None:
    assert read(text.encode(), name).format == kind


# ------------------------------------------------------------------------------------------------------------ text


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16", "utf-16-le", "utf-16-be"])
def test_text_lines_in_any_encoding(encoding: str) -> None:
    text = "一、基本情况\r\n　　本单位有人员 12 名。\n\n指标\t\t得分\v续行  \n"
    assert read(text.encode(encoding), "a.txt") == Document(
        (
            Paragraph("一、基本情况"),
            Paragraph("　　本单位有人员 12 名。"),
            Paragraph(""),
            Paragraph("指标\t\t得分"),
            Paragraph("续行"),
        ),
        "txt",
        wrapped=True,
    )


def test_sound_utf8_is_read_however_rare_its_characters_are() -> None:
    text = "龘靐齉爩鱻麤灪籲" * 20
    assert texts(read(text.encode(), "a.txt")) == [text]


def test_text_pages_are_numbered_where_form_feeds_part_them() -> None:
    document = read("甲\n\f乙\n丙\n\f".encode(), "a.txt")
    assert document.blocks == (Paragraph("甲", page=1), Paragraph("乙", page=2), Paragraph("丙", page=2))
    assert document.pages == 2


def test_markdown_headings_and_pipe_tables() -> None:
    text = "# 绩效自评 #\n## 一、情况\n正文 | 不是表\n\n| 指标 | 得分 |\n|:--|--:|\n| 产\\|出 | 48<br>分 |\n| 效益 |  |\n完\n#标签\n"
    assert read(text.encode(), "a.md").blocks == (
        Paragraph("绩效自评", heading=1),
        Paragraph("一、情况", heading=2),
        Paragraph("正文 | 不是表"),
        Paragraph(""),
        Table((Row(("指标", "得分")), Row(("产|出", "48\n分")), Row(("效益", "")))),
        Paragraph("完"),
        Paragraph("#标签"),
    )


def test_text_with_a_damaged_byte_is_read_with_a_warning() -> None:
    data = ("预算执行率偏低。" * 50).encode("gb18030")
    document = read(data[:200] + b"\xff" + data[200:], "a.txt")
    assert texts(document) == ["预算执行率偏低。" * 12 + "预算执行\ufffd率偏低。" + "预算执行率偏低。" * 37]
    assert document.warnings == ("有 1 处字符已损坏，显示为“\ufffd”。",)


# ------------------------------------------------------------------------------------------------------------ archives


def gbk_zip(names: dict[str, bytes]) -> bytes:
    """An archive as Chinese Windows makes it: names in GBK, the UTF-8 flag not set."""
    data = zipped(
        {f"{i:08d}" * (len(name.encode("gbk")) // 8 + 1): content for i, (name, content) in enumerate(names.items())}
    )
    for i, name in enumerate(names):
        raw = name.encode("gbk")
        long = f"{i:08d}" * (len(raw) // 8 + 1)
        data = data.replace(long.encode(), raw.ljust(len(long), b"\x00"))
    return data


def test_archive_names_in_gbk_and_utf8(tmp_path: Path) -> None:
    path = tmp_path / "年报.zip"
    path.write_bytes(gbk_zip({"云溪县\\财政局.txt": "甲".encode(), "2024/乗風.txt": "乙".encode()}))
    assert list(members(path)) == [
        Member(f"{path}/云溪县/财政局.txt", "甲".encode()),
        Member(f"{path}/2024/乗風.txt", "乙".encode()),
    ]
    path.write_bytes(zipped({"云溪县/水务局.txt": "丙", "空夹/": ""}))
    assert list(members(path)) == [Member(f"{path}/云溪县/水务局.txt", "丙".encode())]


def test_archive_skips_junk(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    names = ["__MACOSX/._甲.txt", ".DS_Store", "~$甲.docx", "Thumbs.db", ".git/config", "meta.csv", "甲.txt"]
    path.write_bytes(zipped(dict.fromkeys(names, "文")))
    assert [member.name for member in members(path)] == [f"{path}/甲.txt"]


def test_archive_in_an_archive_is_read_one_level_deep(tmp_path: Path) -> None:
    deepest = zipped({"丙.txt": "丙"})
    path = tmp_path / "a.zip"
    path.write_bytes(zipped({"内.zip": zipped({"乙.txt": "乙", "再内.zip": deepest}), "甲.docx": word(p("甲"))}))
    first, second, third = members(path)
    assert first == Member(f"{path}/内.zip/乙.txt", "乙".encode())
    assert isinstance(second, Failure)
    assert second.name == f"{path}/内.zip/再内.zip"
    assert "压缩包套了超过 2 层" in str(second.error)
    assert isinstance(third, Member)
    assert texts(read(third.data, third.name)) == ["甲"]


def test_plain_file_is_its_own_member(tmp_path: Path) -> None:
    path = tmp_path / "甲.txt"
    path.write_text("文", encoding="utf-8")
    assert list(members(path)) == [Member(str(path), "文".encode())]


def test_wrong_suffix_is_read_by_content() -> None:
    assert texts(read(word(p("甲")), "报告.pdf")) == ["甲"]
    assert texts(read(word(p("乙")), "报告.wps")) == ["乙"]
    assert read(b"<html><body><p>x</p></body></html>", "report.doc").format == "html"


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("报告.docx", True),
        ("没有后缀", True),
        (".隐藏.txt", False),
        ("~$报告.docx", False),
        ("THUMBS.DB", False),
        ("desktop.ini", False),
        (".DS_Store", False),
        ("__MACOSX/报告.docx", False),
        ("meta.csv", False),
        ("table.csv", True),
    ],
)
def test_candidates(name: str, wanted: bool) -> None:
    assert is_candidate(Path(name)) is wanted
